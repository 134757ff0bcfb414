# Turns wavelstm.h, whose comments are for people, into what Doxygen reads. The header itself stays plain:
#   the first comment        is the main page
#   a section's banner       opens a group; a comment that nothing follows belongs to the group
#   /* ... */ before it      documents a declaration, and each that follows it without an empty line
#   code; /* ... */          documents a member, an enumerator or a handle
#   #define X_INIT           after a struct has that struct's defaults
BEGIN { print "/** @file\n * @brief The public interface, all of it. */" }

# Inside a comment: indented lines are verbatim, which Markdown knows by the empty lines around them.
function add(line, indented) {
    if (line == " *") { comment = comment line "\n"; return }
    indented = line ~ /^ \*     /
    if (comment != "" && indented != was_indented && line !~ /^ \*\/?$/) comment = comment " *\n"
    was_indented = indented
    comment = comment line "\n"
}
function close_group() { if (group) print "/** @} */"; group = 0 }
function flush_comment() { printf "%s", comment; comment = "" }

in_comment {
    add($0)
    if (/\*\/$/) in_comment = 0
    next
}
/^\/\* -+ [0-9]+\. .* \*\/$/ {
    close_group()
    title = $0
    gsub(/^\/\* -+ | \*\/$/, "", title)
    group = title + 0
    print "/** @defgroup section" group " " title "\n * @{ */"
    next
}
/^\/\* / {
    last = comment = ""
    was_indented = 0
    line = $0
    sub(/^\/\* /, first++ ? "/** " : "/** @mainpage\n * ", line)
    add(line)
    in_comment = !/\*\/$/
    next
}
/^$/ && comment != "" && group { # nothing follows
    sub(/^\/\*\* /, "/** @} */\n/** @addtogroup section" group "\n * ", comment)
    flush_comment()
    print "/** @addtogroup section" group "\n * @{ */"
}
/^$/ { last = "" }
/^#ifdef __cplusplus$/ { close_group() }
/^} wlstm_[a-z_]+;$/ { struct = $2 }
/^#define WLSTM_[A-Z_]*_INIT/ { sub(/;$/, "", struct); last = "/** The defaults of #" struct ". */\n" }
/^(WLSTM_API|typedef|#define) / {
    if (comment != "") last = comment
    else if (last != "" && ended) comment = last
}
{
    flush_comment()
    line = $0
    if (line ~ /[^ ].*\/\* .* \*\/$/) sub(/\/\* /, "/**< ", line)
    print line
    ended = line ~ /;$|^#define/ || line ~ /^}/
}
