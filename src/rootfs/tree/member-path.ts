import type {Limits} from '../limits.js'
import {PathRefusal} from './path-refusal.js'

/**
 * Returns the path inside the root for a name in an archive: drops `./` and leading slashes, and refuses
 * `..`, which has no use in a rootfs.
 *
 * @param name - A byte string (latin1).
 * @returns Components joined by single slashes; empty for the root itself.
 * @throws {PathRefusal}
 */
export function memberPath(name: string, limits: Pick<Limits, 'pathBytes' | 'componentBytes'>): string {
  if (name.length > limits.pathBytes) throw new PathRefusal(name.slice(0, 80), 'its name is too long')
  if (name.includes('\0')) throw new PathRefusal(name, 'its name has a zero byte')
  const plain = plainPath(name)
  if (plain !== undefined && plain.length <= limits.componentBytes) return plain
  const components = name.split('/').filter((component) => component !== '' && component !== '.')
  for (const component of components) {
    if (component === '..') throw new PathRefusal(name, 'its name leads out of its folder')
    if (component.length > limits.componentBytes)
      throw new PathRefusal(name.slice(0, 80), 'a part of its name is too long')
  }
  return components.join('/')
}

/** Handles most names by one check: no component begins with a dot, and there are no double slashes. */
function plainPath(name: string): string | undefined {
  const start = name.startsWith('./') ? 2 : 0
  const end = name.endsWith('/') ? name.length - 1 : name.length
  if (start >= end || name.startsWith('/', start) || name.startsWith('.', start)) return undefined
  const path = name.slice(start, end)
  return path.includes('/.') || path.includes('//') || path.endsWith('/') ? undefined : path
}
