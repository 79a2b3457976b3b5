import {chmod, mkdtemp, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {openHost} from '../../src/host/host.js'

/**
 * A folder to put in front in PATH: its program is the host's own, but where its words have a certain one among them, each
 * system call of one kind takes a while, also of what it starts.
 *
 * @param parent - Where the folder is made. A file `held` is put there as soon as such a program was started.
 */
export async function heldProgram(
  parent: string,
  name: string,
  {word, call, milliseconds}: {word: string; call: string; milliseconds: number},
): Promise<string> {
  const folder = await mkdtemp(join(parent, 'held-'))
  const path = join(folder, name)
  const inject = `inject=${call}:delay_enter=${milliseconds * 1000}`
  // Its own messages would be taken for those of the program.
  const trace = `strace -f -qq -o /dev/null -e trace=${call} -e ${inject}`
  const own = openHost().which(name)
  const program = `#!/bin/sh
case "$*" in *${word}*) ;; *) exec ${own} "$@" ;; esac
# What a held program starts is held with it.
grep -q '^TracerPid:.0$' /proc/self/status || exec ${own} "$@"
: >${join(parent, 'held')}
exec ${trace} ${own} "$@"
`
  await writeFile(path, program)
  await chmod(path, 0o755)
  return folder
}
