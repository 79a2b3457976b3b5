import {isOfOneMachine} from '../machine-files.js'
import type {Change} from './compare-stacks.js'

/** A file that envs writes into each environment: the parts around the environment's own values. */
export type OwnFile = {
  /** Byte string (latin1) relative to the root. */
  readonly path: string
  /** Byte strings (latin1). */
  readonly parts: readonly string[]
}

/** Names of environments and machine ids are shorter. */
const MOST_OWN_BYTES = 64
export const MOST_OWN_FILE_BYTES = 64 * 1024

/** Returns whether a file is as envs writes it, for any values of the environment. */
export function isAsWritten(content: Buffer, {parts}: OwnFile): boolean {
  const slot = `[A-Za-z0-9_.-]{1,${MOST_OWN_BYTES}}`
  const pattern = new RegExp(`^${parts.map(escapeRegExp).join(slot)}$`)
  return pattern.test(content.toString('latin1'))
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

/** The program that becomes a user in `emulated`; see templates/rootfs/lay-shims. */
const BECOME = '/usr/lib/envs/become'
const SUFFIX = '.distrib'

/** Returns the paths of programs that envs replaced between two points, and of the originals. */
export function replacedPrograms(changes: readonly Pick<Change, 'path' | 'before' | 'after'>[]): Set<string> {
  return new Set(
    changes
      .filter(({before, after}) => before?.target === BECOME || after?.target === BECOME)
      .flatMap(({path}) => [path, path + SUFFIX]),
  )
}

/** Returns the paths of keys that an environment makes at its first start. */
export function filesOfOneMachine(changes: readonly Pick<Change, 'path' | 'before' | 'after'>[]): string[] {
  return changes
    .filter(({path, before, after}) => isOfOneMachine(path, (after ?? before)?.target))
    .map(({path}) => path)
}
