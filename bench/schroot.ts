import {rm, writeFile} from 'node:fs/promises'
import {basename, join} from 'node:path'
import {findProgram} from '../src/host/host.js'
import {capture} from '../src/host/process.js'
import {type Bench, type Invocation, InvocationFailedError, runAsUser} from './invocation.js'
import type {Absence} from './measure.js'

/** schroot with a configuration of this run. */
export type Schroot = {
  /** One invocation, to be timed: a new session. */
  run(...command: string[]): Invocation
  /** Removes the configuration. */
  close(): Promise<void>
}

const NAME = 'schroot'
const CONFIGURATIONS = '/etc/schroot/chroot.d'

/**
 * Configures a tree for schroot, which only root may do: the bench must be run by root, for another user.
 *
 * @returns The reason, if that does not work.
 */
export async function openSchroot(root: string, bench: Bench): Promise<Schroot | Absence> {
  if (findProgram(NAME, bench.environment['PATH'] ?? '') === undefined)
    return {name: NAME, reason: 'schroot is not installed'}
  const {user} = bench
  if (user === undefined)
    return {
      name: NAME,
      reason: `only root can make the tree known in ${CONFIGURATIONS}: run as root, with --as USER`,
    }
  const chroot = basename(bench.folder)
  const file = join(CONFIGURATIONS, chroot)
  const close = () => rm(file, {force: true})
  const run = (...command: string[]) => ({
    argv: ['schroot', '--chroot', chroot, '--directory', '/', '--', ...command],
  })
  const {stdout} = await capture(['id', '--name', '--user', String(user.uid)])
  try {
    await writeFile(file, configuration({chroot, root, user: stdout.trim()}), {flag: 'wx', mode: 0o644})
    await runAsUser(run('true').argv, bench)
    return {run, close}
  } catch (error) {
    await close()
    if (!(error instanceof InvocationFailedError)) throw error
    return {name: NAME, reason: error.message.split('\n').at(-1) ?? error.message}
  }
}

/**
 * Only for that user, never as root, and without copies of files of the host: the tree belongs to the user,
 * and the host's users and passwords do not.
 *
 * @see schroot.conf(5)
 */
function configuration({chroot, root, user}: {chroot: string; root: string; user: string}): string {
  return `[${chroot}]
description=made by envs' benchmark, which removes it
type=directory
directory=${root}
users=${user}
setup.fstab=minimal/fstab
setup.copyfiles=
setup.nssdatabases=
`
}
