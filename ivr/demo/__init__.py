"""A stand-in for the telephone network, with a family, an agent and their telephones: "the town".

It knows the real system only as a town would: by SIP, from outside. Only the command line starts it.
"""
