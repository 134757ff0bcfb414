__version__ = "0.1.0"  # include/wavelstm.h's WLSTM_VERSION_STRING
