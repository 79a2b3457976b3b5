import {refusedMemberError} from '../errors.js'
import type {Limits} from '../limits.js'

/** A folder is held open for each component of a path. */
const MOST_COMPONENTS = 200

/**
 * Returns the components of a member's name; none for the folder that holds all members.
 *
 * @throws {@link refusedMemberError} If the name leads out of it.
 */
export function memberPath(name: string, limits: Limits): string[] {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.')
  const isWrong =
    name.startsWith('/') || parts.includes('..') || name.includes('\0') || name.length > limits.pathBytes
  if (isWrong || parts.length > MOST_COMPONENTS || parts.some((part) => part.length > limits.componentBytes))
    throw refusedMemberError({member: name, reason: 'its name leads out of the copied folder'})
  return parts
}
