import {readFile} from 'node:fs/promises'

/** Returns the value of a kernel setting, or undefined if the kernel lacks it or it is unreadable. */
export async function readKernelSetting(path: string): Promise<string | undefined> {
  return (await readFile(path, 'utf8').catch(() => undefined))?.trim()
}

/** Returns commands that set a kernel setting now and at each boot. @see sysctl.d(5) */
export function settingSteps(name: string, value: string): string[] {
  return [
    `echo '${name} = ${value}' >/etc/sysctl.d/60-envs-${name.replace(/^.*\./, '')}.conf`,
    'sysctl --system',
  ]
}
