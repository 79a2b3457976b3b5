import type {HostCheck} from '../doctor/index.js'
import type {Host} from '../host/host.js'
import type {EngineName} from '../sandbox/engines/select.js'
import type {GuestNamespace} from '../sandbox/second-namespace.js'
import type {SessionRequest} from '../sandbox/session-options.js'
import type {SandboxSpec} from '../sandbox/spec.js'
import {borrowedShell} from './borrowed-shell.js'
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
import {network} from './network.js'
import {notes} from './notes.js'
import {packageCache} from './package-cache.js'
import {qemuTable} from './qemu-table.js'
import {resolver} from './resolver.js'
import {restorePoints} from './restore-points.js'
import {services} from './services.js'
import {volumes} from './volumes.js'

/**
 * Lists all features of a sandbox. The order matters: a restore point changes the layers that the other features see, and a
 * later mount may be inside an earlier one.
 */
const FEATURES: readonly SandboxFeature[] = [
  restorePoints,
  memoryLayer,
  resolver,
  notes,
  packageCache,
  borrowedShell,
  services,
  network,
  qemuTable,
  volumes,
]

function featuresOf(engine: EngineName): readonly SandboxFeature[] {
  return FEATURES.filter(({engines}) => engines.includes(engine))
}

/** Calls the `beforeSession` hook of every feature. @throws As each feature. */
export async function beforeSession(context: SessionContext): Promise<void> {
  for (const feature of FEATURES) await feature.beforeSession?.(context)
}

/** Returns the session, changed by every feature. @throws {UsageError} */
export function sessionWithFeatures(session: SessionSpec, context: RequestContext): SessionSpec {
  return FEATURES.reduce((changed, feature) => feature.session?.(changed, context) ?? changed, session)
}

/** Checks that the engine supports everything the session asks for. @throws {EnvsError} When the engine does not. */
export function refuseUnsupported(request: SessionRequest, context: RefusalContext): void {
  for (const feature of FEATURES) feature.refuse?.(request, context)
}

/** Prepares the files that the engine's features need on the disk. @throws As each feature. */
export async function beforeStart(engine: EngineName, context: SessionContext): Promise<void> {
  for (const feature of featuresOf(engine)) await feature.beforeStart?.(context)
}

/** Returns the sandbox with every feature that its engine supports. @throws As each feature. */
export async function withFeatures(spec: SandboxSpec, context: StartContext): Promise<SandboxSpec> {
  let changed = spec
  for (const feature of featuresOf(context.engine))
    changed = (await feature.apply?.(changed, context)) ?? changed
  return changed
}

/** Returns the checks of the host of every feature. */
export async function featureChecks(host: Host): Promise<HostCheck[]> {
  return (await Promise.all(FEATURES.map((feature) => feature.checks?.(host) ?? []))).flat()
}

/** Returns the isolation gaps that an engine's features leave. */
export function featureGaps(engine: EngineName, guestNamespace: GuestNamespace): IsolationGap[] {
  return featuresOf(engine).flatMap((feature) => feature.gaps?.({engine, guestNamespace}) ?? [])
}
