import type {MapperHost} from '../../src/host/id-mapping.js'
import {capture} from '../../src/host/process.js'
import {treePrefix} from '../../src/sandbox/identity.js'

/** The ids of a program that works on a mapped tree: rows of inside, outside and count. @see user_namespaces(7) */
export async function mappedIds(host: MapperHost, kind: 'uid' | 'gid'): Promise<number[][]> {
  const prefix = await treePrefix('mapped', host)
  const {stdout} = await capture([...prefix, 'cat', `/proc/self/${kind}_map`], {timeout: 10_000})
  return stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
}
