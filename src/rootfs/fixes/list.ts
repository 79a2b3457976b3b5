import {aptSandbox} from './apt-sandbox.js'
import {aptSources} from './apt-sources.js'
import {cloudInit} from './cloud-init.js'
import {containerMarker} from './container-marker.js'
import {dpkgUnsafeIo} from './dpkg-unsafe-io.js'
import type {Fix} from './fix.js'
import {hostname} from './hostname.js'
import {hosts} from './hosts.js'
import {machineId} from './machine-id.js'
import {needrestart} from './needrestart.js'
import {policyRcD} from './policy-rc-d.js'
import {prompt} from './prompt.js'
import {resolver} from './resolver.js'

/** Every fix, in the order in which they are applied. */
export const FIXES: readonly Fix[] = [
  aptSandbox,
  aptSources,
  dpkgUnsafeIo,
  policyRcD,
  cloudInit,
  needrestart,
  resolver,
  hosts,
  hostname,
  machineId,
  prompt,
  containerMarker,
]

/** Those that write the environment's name, to be applied again when it gets another. */
export const NAME_FIXES: readonly string[] = [hosts, hostname, prompt].map(({name}) => name)
