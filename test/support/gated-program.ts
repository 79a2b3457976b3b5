import {existsSync} from 'node:fs'
import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {openHost} from '../../src/host/host.js'
import {waitUntil} from './wait-until.js'

export type Gate = {
  /** A folder to put in front in PATH. */
  readonly folder: string
  /** Resolves when the program was started and waits. */
  reached(): Promise<unknown>
  close(): Promise<void>
  open(): Promise<void>
}

/**
 * A program of the host's that waits at a gate, which is open at first: what started it stays in the middle of its work for
 * as long as a test wants.
 *
 * @param parent - Where the folder is made.
 */
export async function gatedProgram(parent: string, name: string): Promise<Gate> {
  const folder = await mkdtemp(join(parent, 'gated-'))
  const [shut, reached] = [join(parent, `${name}-shut`), join(parent, `${name}-reached`)]
  const own = openHost().which(name)
  const script = `#!/bin/sh
[ ! -e '${shut}' ] || : >'${reached}'
while [ -e '${shut}' ]; do sleep 0.01; done
exec '${own}' "$@"
`
  await writeFile(join(folder, name), script, {mode: 0o755})
  return {
    folder,
    reached: () => waitUntil(`${name} at the gate`, () => existsSync(reached)),
    async close() {
      await rm(reached, {force: true})
      await writeFile(shut, '')
    },
    open: () => rm(shut),
  }
}
