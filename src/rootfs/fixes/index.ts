import {aptPackages, aptSandbox, aptSources, aptSyncs, restorePoints} from './apt.js'
import type {Fix} from './fix.js'
import {cloudInit, containerMarker, emulatedUsers, needrestart, resolver} from './guest.js'
import {hostname, hosts, machineId, machineKeys, prompt} from './identity.js'
import {policyRcD, serviceNotes} from './services.js'

export {serviceFiles} from './services.js'

/** All fixes, in the order of their application. */
export const FIXES: readonly Fix[] = [
  aptSandbox,
  aptSources,
  aptSyncs,
  aptPackages,
  restorePoints,
  emulatedUsers,
  serviceNotes,
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

/** Fixes that write files of one environment. */
export const PERSONAL_FIXES: readonly string[] = [hosts, hostname, prompt, machineId].map(({name}) => name)

/** Fixes that write the same into every tree of an image. */
export const SHARED_FIXES: readonly string[] = FIXES.map(({name}) => name).filter(
  (name) => !PERSONAL_FIXES.includes(name),
)

/** Fixes that make a clone a machine of its own. */
export const CLONE_FIXES: readonly string[] = [...PERSONAL_FIXES, machineKeys.name]

/** Fixes that depend on the identity, to be applied after a change of it. */
export const IDENTITY_FIXES: readonly string[] = [emulatedUsers].map(({name}) => name)

/** Fixes for services; the policy last, because it shows that the others are there. */
export const SERVICE_FIXES: readonly string[] = [serviceNotes, policyRcD].map(({name}) => name)

/** Fixes that write the environment's name, to be applied after a rename. */
export const NAME_FIXES: readonly string[] = [hosts, hostname, prompt].map(({name}) => name)
