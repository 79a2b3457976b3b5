import {readFile} from 'node:fs/promises'

/** The value of a kernel setting, or undefined where the kernel doesn't have it or shows it to nobody. */
export async function readKernelSetting(path: string): Promise<string | undefined> {
  return (await readFile(path, 'utf8').catch(() => undefined))?.trim()
}

/** Commands that give a kernel setting a value now and after each start. @see sysctl.d(5) */
export function settingSteps(name: string, value: string): string[] {
  return [
    `echo '${name} = ${value}' >/etc/sysctl.d/60-envs-${name.replace(/^.*\./, '')}.conf`,
    'sysctl --system',
  ]
}
