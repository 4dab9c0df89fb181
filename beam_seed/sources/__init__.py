"""Reading repositories: working trees, git repositories, archives and tables of files, wherever Beam reads files.

``units`` lists what ``--input`` names, ``read`` turns one unit into records, ``table`` the rows of one table, ``metadata`` reads what is
known of the repositories. Input comes from strangers: nothing is extracted by name, executed, or believed about its own size.
"""
