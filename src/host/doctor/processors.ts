import {readdir} from 'node:fs/promises'
import {DEB_ARCHITECTURES, type DebArchitecture, runsAsItIs} from '../architecture.js'
import {findQemu} from '../find-qemu.js'
import type {Host} from '../host.js'
import {type Check, pass} from './check.js'

const BINFMT = '/proc/sys/fs/binfmt_misc'

/** Interpreters for programs of other processors. */
export type ProcessorFacts = {
  readonly architecture: DebArchitecture
  /** Processors with an interpreter registered in the kernel, by QEMU's names. */
  readonly registered: readonly string[]
  /** Processors for which envs has a QEMU. */
  readonly emulated?: readonly DebArchitecture[]
}

export async function checkProcessors(host: Pick<Host, 'architecture' | 'which' | 'paths'>): Promise<Check> {
  const {architecture} = host
  const entries: string[] = await readdir(BINFMT).catch(() => [])
  const registered = entries.flatMap(
    (entry) => /^qemu-(?<name>[a-z0-9_]+)$/.exec(entry)?.groups?.['name'] ?? [],
  )
  const emulated = DEB_ARCHITECTURES.filter(
    (other) => !runsAsItIs(architecture, other) && findQemu(host, other) !== undefined,
  )
  return judgeProcessors({architecture, registered: registered.sort(), emulated})
}

/** Never a warning: few users need an environment for another processor. */
export function judgeProcessors({architecture, registered, emulated = []}: ProcessorFacts): Check {
  if (registered.length === 0 && emulated.length > 0)
    return pass(
      'processors',
      `Programs of ${architecture}, and with QEMU, in environments, of ${emulated.join(', ')}.`,
    )
  if (registered.length === 0)
    return pass('processors', `Programs of ${architecture} only: ${BINFMT} has no QEMU interpreter.`)
  return pass('processors', `Programs of ${architecture}, and with QEMU of ${registered.join(', ')}.`)
}
