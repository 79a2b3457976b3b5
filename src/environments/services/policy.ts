import type {Host} from '../../host/host.js'
import {lockDescriptor} from '../../host/locks.js'
import {fixFailedError} from '../../rootfs/errors.js'
import {SERVICE_FIXES, serviceFiles} from '../../rootfs/fixes/index.js'
import {POLICY_PROGRAM, readServicePolicy, type ServicePolicy} from '../../rootfs/service-policy.js'
import {applyFixes} from '../../rootfs/worker/api.js'
import {isInUse} from '../../sandbox/processes.js'
import {type Environment, type EnvironmentName, findEnvironment} from '../../store/environments.js'
import {openEnvironmentLock} from '../../store/locks.js'
import {mergedTree, readGuestTree, treeFolders} from '../../store/mounted-tree.js'
import {nameFacts} from '../create/own-files.js'
import {captureInEnvironment} from '../session/capture.js'

/** Sessions that run may keep the lock for hours: the files are then written by a session, too. */
const LOCK_WAIT_MS = 500

/**
 * Writes policy-rc.d and the hooks of APT and dpkg into an environment that has the policy-rc.d of an earlier version of envs: that
 * one forbids starts even where an init runs. A person's own file stays.
 *
 * @returns The policy that the environment has then.
 * @throws {@link fixFailedError} @throws As `applyFixes` and `runInEnvironment`.
 */
export async function renewServicePolicy(host: Host, text: string): Promise<ServicePolicy> {
  const environment = await findEnvironment(host.paths, text)
  const present = await readPolicy(host, environment)
  if (present !== 'former') return present
  const {name} = environment
  if (!(await renewStopped(host, name))) await renewRunning(host, name)
  return readPolicy(host, await findEnvironment(host.paths, name))
}

async function readPolicy({paths}: Pick<Host, 'paths'>, environment: Environment): Promise<ServicePolicy> {
  return readServicePolicy(treeFolders(paths, await readGuestTree(environment)))
}

/** Returns whether it is done: not where the environment runs. */
async function renewStopped(host: Host, name: EnvironmentName): Promise<boolean> {
  if (await isInUse((await findEnvironment(host.paths, name)).files.run)) return false
  const lock = await openEnvironmentLock(host.paths, name)
  try {
    if (!(await lockDescriptor(lock.fd, {mode: 'exclusive', waitMs: LOCK_WAIT_MS}))) return false
    const environment = await findEnvironment(host.paths, name)
    if (await isInUse(environment.files.run)) return false
    // Somebody may have changed it since.
    if ((await readPolicy(host, environment)) !== 'former') return true
    const {process, root} = await mergedTree(host, environment, [lock])
    const facts = nameFacts(name, environment.record.identity)
    await applyFixes(process, {root, facts, only: SERVICE_FIXES})
    return true
  } finally {
    lock.release()
  }
}

/** Arguments: path, mode and text of each file. A file whose folder is missing belongs to a program that is missing. */
const WRITE = `set -e
umask 022
own=/usr/lib/envs
mkdir -p "$own"
while [ $# -gt 0 ]; do
  if [ -d "\${1%/*}" ]; then
    printf %s "$3" >"$own/.new"
    chmod "$2" "$own/.new"
    mv -f "$own/.new" "$1"
  fi
  shift 3
done`

/** Only the guest may write to a tree that is in use. */
async function renewRunning(host: Host, name: EnvironmentName): Promise<void> {
  const words = serviceFiles().flatMap(({path, mode, content}) => [
    `/${path}`,
    mode.toString(8),
    content.toString('utf8'),
  ])
  const {status, stderr} = await captureInEnvironment(host, name, ['/bin/sh', '-c', WRITE, 'envs', ...words])
  if (status === 0) return
  const reason = stderr.trim() || `a shell in "${name}" ended with status ${status}`
  throw fixFailedError({path: POLICY_PROGRAM, reason})
}
