"""C, C++ and CUDA: ``#include``, under every condition.

A quoted name is looked for beside the file, then as an angled one: in each folder above the file and in its ``include`` and ``src``, then
anywhere, as the end of a path (the include roots are not known). Headers of the C and POSIX libraries in angle
brackets are the system's.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from beam_seed.dependencies.mentions import Captures, Language, Mentions, imports_of, unquoted
from beam_seed.dependencies.resolver import Nodes, Resolver
from beam_seed.dependencies.tree import Tree, ancestors, below, join

_QUERY = """
(preproc_include path: (string_literal) @quoted)
(preproc_include path: (system_lib_string) @angled)
"""

_ROOTS = ("include", "src", "inc")

_SYSTEM = frozenset(
    """
    aio.h alloca.h arpa/inet.h assert.h complex.h cpio.h crypt.h ctype.h dirent.h dlfcn.h elf.h endian.h err.h errno.h error.h
    execinfo.h fcntl.h fenv.h float.h fnmatch.h ftw.h getopt.h glob.h grp.h iconv.h ifaddrs.h inttypes.h io.h iso646.h langinfo.h
    libgen.h libintl.h limits.h linux/limits.h link.h locale.h malloc.h math.h memory.h mntent.h monetary.h mqueue.h ndbm.h
    net/if.h netdb.h netinet/in.h netinet/tcp.h nl_types.h paths.h poll.h pthread.h pty.h pwd.h regex.h resolv.h sched.h search.h
    semaphore.h setjmp.h signal.h spawn.h stdalign.h stdarg.h stdatomic.h stdbool.h stddef.h stdint.h stdio.h stdlib.h
    stdnoreturn.h string.h strings.h stropts.h sys/cdefs.h sys/epoll.h sys/event.h sys/file.h sys/ioctl.h sys/ipc.h sys/mman.h
    sys/mount.h sys/msg.h sys/param.h sys/poll.h sys/prctl.h sys/resource.h sys/select.h sys/sem.h sys/sendfile.h sys/shm.h
    sys/signal.h sys/socket.h sys/stat.h sys/statfs.h sys/statvfs.h sys/syscall.h sys/sysctl.h sys/sysinfo.h sys/sysmacros.h
    sys/time.h sys/times.h sys/types.h sys/uio.h sys/un.h sys/utsname.h sys/wait.h syscall.h syslog.h tar.h termio.h termios.h
    tgmath.h threads.h time.h uchar.h ucontext.h ulimit.h unistd.h utime.h utmp.h utmpx.h values.h wait.h wchar.h wctype.h
    windows.h wordexp.h
    """.split()  # noqa: SIM905
)


def _read(found: Captures) -> Mentions:
    return Mentions(imports=imports_of((kind, unquoted(node)) for kind in ("quoted", "angled") for node in found.get(kind, [])))


C_FAMILY = Language(_QUERY, _read)


class IncludeResolver(Resolver):
    """Headers by the ends of their paths."""

    def __init__(self, tree: Tree):
        super().__init__(tree)
        self._ending: dict[str, list[int]] = {}

    def imports(self, file: int) -> Iterator[Nodes]:
        for kind, name in self.tree.mentions[file].imports:
            yield [self._find(kind, name, file)]

    def _find(self, kind: str, name: str, file: int) -> int | None:
        if kind == "quoted" and (beside := self.tree.find(join(self.tree.folders[file], name))) is not None:
            return beside
        if kind == "angled" and name in _SYSTEM:
            return None
        name = posixpath.normpath(name)
        if name not in self._ending:
            named = self.tree.by_name.get(posixpath.basename(name), [])
            self._ending[name] = [number for number in named if f"/{self.tree.paths[number]}".endswith(f"/{name}")]
        if not self._ending[name]:  # or has '..' in front of it, which means something only beside the file
            return None
        above = (below(folder, *root, name) for folder in ancestors(self.tree.folders[file]) for root in ((), *((r,) for r in _ROOTS)))
        found = self.tree.first(above)
        return self.tree.nearest(self._ending[name], file) if found is None else found
