import {readdir} from 'node:fs/promises'
import {DEB_ARCHITECTURES, type DebArchitecture, runsAsItIs} from '../architecture.js'
import {findQemu} from '../find-qemu.js'
import type {Host} from '../host.js'
import {type Check, pass} from './check.js'

const BINFMT = '/proc/sys/fs/binfmt_misc'

/** What runs programs of other processors. */
export type ProcessorFacts = {
  readonly architecture: DebArchitecture
  /** Processors that the kernel hands programs of to an interpreter, by qemu's names. */
  readonly registered: readonly string[]
  /** Those that QEMU is at hand for, to run programs in environments. */
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

/** Nothing to warn of: few ever want an environment of another processor. */
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
