import {chmod, mkdtemp, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {openHost} from '../../src/host/host.js'

/**
 * A folder to put in front in PATH: its program is the host's own, but one system call of it, or of what it starts, takes
 * a while.
 *
 * @param parent - Where the folder is made. A file `held` is put there as soon as the program was started.
 */
export async function heldProgram(
  parent: string,
  name: string,
  {call, milliseconds}: {call: string; milliseconds: number},
): Promise<string> {
  const folder = await mkdtemp(join(parent, 'held-'))
  const path = join(folder, name)
  const inject = `inject=${call}:delay_enter=${milliseconds * 1000}`
  // Its own messages would be taken for those of the program.
  const trace = `strace -f -qq -o /dev/null -e trace=${call} -e ${inject}`
  await writeFile(
    path,
    `#!/bin/sh\n: >${join(parent, 'held')}\nexec ${trace} ${openHost().which(name)} "$@"\n`,
  )
  await chmod(path, 0o755)
  return folder
}
