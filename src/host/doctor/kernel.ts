import {release} from 'node:os'
import {type Check, fail, pass, warn} from './check.js'
import {readKernelSetting} from './kernel-setting.js'

const ACTIONS = '/proc/sys/kernel/seccomp/actions_avail'

/** Facts about the kernel. */
export type KernelFacts = {
  /** As printed by `uname -r`. */
  readonly release: string
  /** Value of {@link ACTIONS}, words separated by spaces; undefined if the kernel lacks it. */
  readonly seccompActions: string | undefined
}

export async function checkKernel(): Promise<Check> {
  return judgeKernel({release: release(), seccompActions: await readKernelSetting(ACTIONS)})
}

export function judgeKernel({release: name, seccompActions}: KernelFacts): Check {
  if (isWsl1(name)) {
    return fail('kernel', {
      evidence: `${name}: this is WSL 1, which has no Linux kernel and so no namespaces.`,
      cost: 'envs cannot enter any environment.',
      remedy: 'Convert this distribution on Windows: wsl.exe --set-version NAME 2',
    })
  }
  if (seccompActions === undefined || !seccompActions.split(' ').includes('errno')) {
    return fail('kernel', {
      evidence: `${name}: ${ACTIONS} is ${seccompActions ?? 'absent'}, so the kernel takes no system call filters.`,
      cost: 'envs cannot enter any environment: each one starts under such a filter.',
      remedy: 'Ask an administrator for a kernel with CONFIG_SECCOMP_FILTER, which all distributions have.',
    })
  }
  const wsl = isWsl(name) ? ' This is WSL 2: keep environments on its own disk, not below /mnt.' : ''
  if (isBefore(name, 5, 11)) {
    return warn('kernel', {
      evidence: `Linux ${name}.${wsl}`,
      cost: 'There are no layers and no snapshots (Linux 5.11), and folders cannot be shared read-only (Linux 5.12).',
      remedy: 'Ask an administrator for a newer kernel.',
    })
  }
  if (isBefore(name, 5, 12)) {
    return warn('kernel', {
      evidence: `Linux ${name}.${wsl}`,
      cost: 'Folders cannot be shared read-only.',
      remedy: 'Ask an administrator for Linux 5.12 or later.',
    })
  }
  return pass('kernel', `Linux ${name}.${wsl}`)
}

function isWsl(name: string): boolean {
  return /microsoft/i.test(name)
}

/**
 * Its version is that of the imitated kernel. @see https://learn.microsoft.com/windows/wsl/compare-versions
 */
function isWsl1(name: string): boolean {
  return /-Microsoft$/.test(name)
}

function isBefore(name: string, major: number, minor: number): boolean {
  const [first = 0, second = 0] = name.split('.').map((part) => Number.parseInt(part, 10))
  return first < major || (first === major && second < minor)
}
