import {chmod, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {findProgram} from '../../src/host/host.js'
import {type Guest, withVariables} from './guest.js'
import {temporaryFolder} from './temporary-folder.js'

/** The same environment on a host that forbids a second user namespace, so that its root has a say over its mounts. */
export async function withOneNamespace(
  scope: Parameters<typeof temporaryFolder>[0],
  guest: Guest,
): Promise<Guest> {
  const path = process.env['PATH'] ?? ''
  const folder = await temporaryFolder(scope)
  const program = `#!/bin/sh\ncase "$*" in *second-namespace*) exit 1 ;; esac\nexec ${findProgram('perl', path)} "$@"\n`
  await writeFile(join(folder, 'perl'), program)
  await chmod(join(folder, 'perl'), 0o755)
  return withVariables(guest, {PATH: `${folder}:${path}`})
}
