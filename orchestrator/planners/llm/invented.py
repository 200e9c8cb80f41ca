"""Names of tools that models know from elsewhere, and what does that here."""

from collections.abc import Mapping, Sequence

_READ = ("read_file",)
_WRITE = ("write_file",)
_EDIT = ("edit_file",)
_LIST = ("list_directory", "find_files")
_FIND = ("find_files",)
_SEARCH = ("search_files",)
_MOVE = ("move_path",)
_DELETE = ("delete_path",)
_MAKE_DIRECTORY = ("create_directory",)
_INFO = ("get_file_info",)
_SHELL = ("list_directory", "read_file", "search_files", "edit_file")

MEANT: Mapping[str, Sequence[str]] = {
    **dict.fromkeys(("cat", "head", "tail", "open", "open_file", "view", "view_file"), _READ),
    **dict.fromkeys(("read", "get_file", "file_read", "get_file_contents", "less"), _READ),
    **dict.fromkeys(("read_multiple_files", "read_many_files"), ("read_files",)),
    **dict.fromkeys(("write", "create", "create_file", "save_file", "file_write"), _WRITE),
    **dict.fromkeys(("touch", "new_file", "write_to_file", "update_file", "put_file"), _WRITE),
    **dict.fromkeys(("str_replace", "replace", "replace_in_file", "sed", "edit"), _EDIT),
    **dict.fromkeys(("str_replace_editor", "search_replace", "multi_edit", "insert"), _EDIT),
    **dict.fromkeys(("str_replace_based_edit_tool", "modify_file", "replace_text"), _EDIT),
    **dict.fromkeys(("append", "append_to_file"), ("append_file",)),
    **dict.fromkeys(("patch", "git_apply"), ("apply_patch",)),
    **dict.fromkeys(("ls", "dir", "tree", "list", "list_dir", "list_files"), _LIST),
    **dict.fromkeys(("find", "glob", "find_file", "file_search"), _FIND),
    **dict.fromkeys(("grep", "rg", "ripgrep", "search", "grep_search", "search_text"), _SEARCH),
    **dict.fromkeys(("codebase_search", "search_code", "search_in_files"), _SEARCH),
    **dict.fromkeys(("mv", "move", "rename", "rename_file", "move_file"), _MOVE),
    **dict.fromkeys(("cp", "copy", "copy_file", "copy_directory"), ("copy_path",)),
    **dict.fromkeys(("rm", "delete", "remove", "remove_file", "delete_file", "rmdir"), _DELETE),
    **dict.fromkeys(("unlink", "remove_directory", "delete_directory", "remove_path"), _DELETE),
    **dict.fromkeys(("mkdir", "make_directory", "create_dir", "create_folder"), _MAKE_DIRECTORY),
    **dict.fromkeys(("stat", "exists", "file_exists", "file_info", "get_info"), _INFO),
    **dict.fromkeys(("ask", "ask_human", "ask_question", "ask_followup_question"), ("ask_user",)),
    **dict.fromkeys(("bash", "sh", "shell", "execute", "exec", "run", "run_command"), _SHELL),
    **dict.fromkeys(("execute_command", "run_shell_command", "terminal", "python"), _SHELL),
}
"""By the invented name in lower case: the tools that do it, the nearest first."""
