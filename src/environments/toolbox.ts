import type {Host} from '../host/host.js'
import type {TreeProcess} from '../rootfs/tree-process.js'
import {GUEST_PATH} from '../sandbox/engines/bwrap.js'
import {ToolMissingError} from '../sandbox/errors.js'
import {type Identity, treePrefix} from '../sandbox/ids/identity.js'

const PACKAGES = {
  bwrap: 'bubblewrap',
  nsenter: 'util-linux',
  perl: 'perl-base',
  unshare: 'util-linux',
} as const

export type Tool = keyof typeof PACKAGES

/** Absolute path of a program the sandbox is built from. @throws {ToolMissingError} */
export function toolPath(host: Pick<Host, 'which'>, tool: Tool): string {
  const path = host.which(tool)
  if (path === undefined) throw new ToolMissingError(tool, PACKAGES[tool])
  return path
}

/** How programs that work on a tree of this identity are started, so that they see its owners. */
export function treeProcess(host: Pick<Host, 'which' | 'environment'>, identity: Identity): TreeProcess {
  const prefix = identity === 'mapped' ? treePrefix(identity, {unshare: toolPath(host, 'unshare')}) : []
  return {prefix, environment: {PATH: host.environment['PATH'] ?? GUEST_PATH}}
}
