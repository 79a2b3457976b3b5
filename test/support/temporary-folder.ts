import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import type {Scope} from './cli.js'

/** An empty folder of the test's own, gone with all that is in it when the test ends. */
export async function temporaryFolder(t: Scope): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'envs-test-'))
  t.after(() => rm(folder, {recursive: true, force: true}))
  return folder
}
