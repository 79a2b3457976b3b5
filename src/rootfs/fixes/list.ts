import {aptPackages} from './apt-packages.js'
import {aptSandbox} from './apt-sandbox.js'
import {aptSources} from './apt-sources.js'
import {aptSyncs} from './apt-syncs.js'
import {cloudInit} from './cloud-init.js'
import {containerMarker} from './container-marker.js'
import {emulatedUsers} from './emulated-users.js'
import type {Fix} from './fix.js'
import {hostname} from './hostname.js'
import {hosts} from './hosts.js'
import {machineId} from './machine-id.js'
import {machineKeys} from './machine-keys.js'
import {needrestart} from './needrestart.js'
import {policyRcD} from './policy-rc-d.js'
import {prompt} from './prompt.js'
import {resolver} from './resolver.js'
import {restorePoints} from './restore-points.js'

/** Every fix, in the order in which they are applied. */
export const FIXES: readonly Fix[] = [
  aptSandbox,
  aptSources,
  aptSyncs,
  aptPackages,
  restorePoints,
  emulatedUsers,
  policyRcD,
  cloudInit,
  needrestart,
  resolver,
  hosts,
  hostname,
  machineId,
  machineKeys,
  prompt,
  containerMarker,
]

/** Those that write what is each environment's own. */
export const PERSONAL_FIXES: readonly string[] = [hosts, hostname, prompt, machineId].map(({name}) => name)

/** Those that write the same into every tree of an image. */
export const SHARED_FIXES: readonly string[] = FIXES.map(({name}) => name).filter(
  (name) => !PERSONAL_FIXES.includes(name),
)

/** Those that a copy of an environment needs, so that it is another machine. */
export const CLONE_FIXES: readonly string[] = [...PERSONAL_FIXES, machineKeys.name]

/** Those that are not the same for every identity, to be applied when a tree gets another. */
export const IDENTITY_FIXES: readonly string[] = [emulatedUsers].map(({name}) => name)

/** Those that write the environment's name, to be applied again when it gets another. */
export const NAME_FIXES: readonly string[] = [hosts, hostname, prompt].map(({name}) => name)
