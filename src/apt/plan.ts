import {
  type ArchiveContext,
  type ArchiveRequest,
  type PackagePlan,
  type PlannedPackage,
  urlBelow,
} from './context.js'
import {resolveSuite} from './mirrors.js'
import {type OpenedPocket, openPocket} from './open-pocket.js'
import {rulesFor} from './pockets.js'
import {AvailablePackages, type Candidate, selectPackages} from './select.js'

/**
 * Plans the packages of a request: verifies the pockets, reads their indices, selects.
 *
 * @throws {EnvsError} Of errors.ts, of images/signature/errors.ts and of host/http/errors.ts.
 */
export async function planPackages(request: ArchiveRequest, context: ArchiveContext): Promise<PackagePlan> {
  const {release, architecture, variant, include} = request
  const components = request.components.length === 0 ? ['main'] : request.components
  const pockets = await openPockets({...request, components}, context)
  context.onProgress?.({stage: 'selection'})
  const available = new AvailablePackages(pockets)
  const isSecure = pockets.some(({place}) => place.base.startsWith('https:'))
  const rules = rulesFor(release, {architecture, variant, isSecure})
  const priorities = variant === 'minbase' ? (['required'] as const) : (['required', 'important'] as const)
  const chosen = selectPackages(available, {
    seeds: [...priorities.flatMap((priority) => available.withPriority(priority)), ...rules.extras],
    include,
    excluded: rules.excluded,
    suite: release.codename,
    components,
  })
  const used = pockets.map((pocket) => pocket.used)
  return {
    release,
    architecture,
    variant,
    include,
    components,
    pockets: used,
    packages: chosen.map(plannedPackage),
    date: new Date(Math.max(...used.map(({date}) => date.getTime()))),
    rootLinks: rules.rootLinks,
  }
}

/** Opens the pockets in parallel; the first failure aborts the others. */
async function openPockets(request: ArchiveRequest, context: ArchiveContext): Promise<OpenedPocket[]> {
  const placed = await resolveSuite(request.release, request.architecture, context)
  const failure = new AbortController()
  const signal =
    context.signal === undefined ? failure.signal : AbortSignal.any([failure.signal, context.signal])
  const received = new Map<string, {receivedBytes: number; totalBytes: number}>()
  const opening = placed.map((pocket) => {
    context.onProgress?.({stage: 'release', suite: pocket.suite})
    return openPocket(pocket, {
      ...request,
      context: {...context, signal},
      onIndex: (key, bytes) => {
        received.set(key, bytes)
        const all = [...received.values()]
        const sum = (field: 'receivedBytes' | 'totalBytes') =>
          all.reduce((total, each) => total + each[field], 0)
        context.onProgress?.({
          stage: 'indices',
          receivedBytes: sum('receivedBytes'),
          totalBytes: sum('totalBytes'),
        })
      },
    }).catch((error: unknown) => {
      failure.abort(error)
      throw error
    })
  })
  try {
    const opened = await Promise.all(opening)
    return opened.flatMap((pocket) => pocket ?? [])
  } finally {
    await Promise.allSettled(opening)
  }
}

function plannedPackage(candidate: Candidate): PlannedPackage {
  const {name, version, architecture, isEssential, priority, pocket, sizeBytes, sha256, installedBytes} =
    candidate
  return {
    name,
    version,
    architecture,
    isEssential,
    priority,
    pocket,
    url: urlBelow(candidate.place, candidate.filename),
    sizeBytes,
    sha256,
    installedBytes,
  }
}
