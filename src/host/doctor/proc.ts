import {readFile} from 'node:fs/promises'
import {isBelow, type MountEntry, parseMountinfo} from '../mountinfo.js'
import {type Check, fail, pass} from './check.js'

/** Checks whether /proc is completely visible: only then may a user mount one for a guest. */
export async function checkProc(): Promise<Check> {
  return judgeProc(parseMountinfo(await readFile('/proc/self/mountinfo', 'utf8')))
}

/** @see mount_namespaces(7), on restrictions: proc must be "fully visible" */
export function judgeProc(mounts: readonly MountEntry[]): Check {
  const covered = [...new Set(mounts.filter(isCover).map(({mountPoint}) => mountPoint))]
  if (covered.length === 0) return pass('proc', 'Nothing in /proc is covered.')
  const shown = covered.slice(0, 3).join(', ')
  return fail('proc', {
    evidence: `Covered by mounts: ${shown}${covered.length > 3 ? `, and ${covered.length - 3} more` : ''}.`,
    cost: 'envs can enter environments only with proot: the kernel refuses to mount a complete /proc here.',
    remedy:
      'Start the container around envs with --security-opt systempaths=unconfined (docker), or --security-opt unmask=ALL (podman).',
    request: {
      steps: ['# start the container with this option:', 'docker run --security-opt systempaths=unconfined'],
      opens: 'Programs in that container see all of /proc and /sys.',
    },
  })
}

/** binfmt_misc and its automount cover an empty folder that exists for them. */
function isCover({mountPoint, fileSystem}: MountEntry): boolean {
  const isPart = mountPoint !== '/proc' && isBelow(mountPoint, '/proc')
  return isPart && fileSystem !== 'binfmt_misc' && fileSystem !== 'autofs'
}
