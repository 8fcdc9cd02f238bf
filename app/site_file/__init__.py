"""A whole site in one readable TOML file: checked without a server, pushed to one, and written from one.

`model` is what a file may say, `reading` turns text into it with the lines of what is wrong, `checking` judges it as
the server would, `table` shows it, `pushing` brings a server to it, `writing` makes a file of what a server has.
Start reading at `checking.checked`.
"""
