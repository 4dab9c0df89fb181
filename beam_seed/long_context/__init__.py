"""Long documents for the recipe's section 5: whole repositories in the order of their dependencies, and long single files.

::

    files of a repository --order.py--> positions --cut.py--> sequences --format.py--> texts
"""
