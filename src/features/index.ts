import type {Check} from '../host/check.js'
import type {Host} from '../host/host.js'
import type {EngineName} from '../sandbox/engines/select.js'
import type {GuestNamespace} from '../sandbox/second-namespace.js'
import type {SessionRequest} from '../sandbox/session-options.js'
import type {SandboxSpec} from '../sandbox/spec.js'
import type {
  IsolationGap,
  RefusalContext,
  RequestContext,
  SandboxFeature,
  SessionContext,
  SessionSpec,
  StartContext,
} from './feature.js'
import {memoryLayer} from './memory-layer.js'
import {packageCache} from './package-cache.js'
import {qemuTable} from './qemu-table.js'
import {resolver} from './resolver.js'
import {restorePoints} from './restore-points.js'
import {volumes} from './volumes.js'

/**
 * All features of a sandbox. The order counts: a restore point changes the layers that the others see, and a later mount may
 * lie in an earlier one.
 */
const FEATURES: readonly SandboxFeature[] = [
  restorePoints,
  memoryLayer,
  resolver,
  packageCache,
  qemuTable,
  volumes,
]

function featuresOf(engine: EngineName): readonly SandboxFeature[] {
  return FEATURES.filter(({engines}) => engines.includes(engine))
}

export async function beforeSession(context: SessionContext): Promise<void> {
  for (const feature of FEATURES) await feature.beforeSession?.(context)
}

/** @throws {UsageError} */
export function sessionWithFeatures(session: SessionSpec, context: RequestContext): SessionSpec {
  return FEATURES.reduce((changed, feature) => feature.session?.(changed, context) ?? changed, session)
}

/** @throws {EnvsError} Where the session asks for what the engine can't do. */
export function refuseUnsupported(request: SessionRequest, context: RefusalContext): void {
  for (const feature of FEATURES) feature.refuse?.(request, context)
}

/** Prepares all that the features need on the disk. @throws As each of them. */
export async function beforeStart(engine: EngineName, context: SessionContext): Promise<void> {
  for (const feature of featuresOf(engine)) await feature.beforeStart?.(context)
}

/** @throws As each feature. */
export async function withFeatures(spec: SandboxSpec, context: StartContext): Promise<SandboxSpec> {
  let changed = spec
  for (const feature of featuresOf(context.engine))
    changed = (await feature.apply?.(changed, context)) ?? changed
  return changed
}

export async function featureChecks(host: Host): Promise<Check[]> {
  return (await Promise.all(FEATURES.map((feature) => feature.checks?.(host) ?? []))).flat()
}

export function featureGaps(engine: EngineName, guestNamespace: GuestNamespace): IsolationGap[] {
  return featuresOf(engine).flatMap((feature) => feature.gaps?.({engine, guestNamespace}) ?? [])
}
