import {EnvsError} from '../errors.js'
import {
  type ArchiveContext,
  type ArchiveRequest,
  type PackagePlan,
  type PlannedPackage,
  urlBelow,
} from './context.js'
import {NotInComponentsError} from './errors.js'
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
  const options = {
    seeds: [...priorities.flatMap((priority) => available.withPriority(priority)), ...rules.extras],
    include,
    excluded: rules.excluded,
    suite: release.codename,
    components,
  }
  const chosen = await selectOrLocate(() => selectPackages(available, options), {
    request: {...request, components},
    context,
    offered: pockets[0]?.used.offered ?? [],
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

type LocateOptions = {
  /** `components` are those that the packages are selected from. */
  readonly request: ArchiveRequest
  readonly context: ArchiveContext
  /** All components of the release. */
  readonly offered: readonly string[]
}

/** Runs the selection. If it lacks a package, the error names the component that has the package. */
async function selectOrLocate(select: () => Candidate[], options: LocateOptions): Promise<Candidate[]> {
  try {
    return select()
  } catch (error) {
    if (!(error instanceof NotInComponentsError)) throw error
    throw await withComponent(error, options)
  }
}

async function withComponent(
  error: NotInComponentsError,
  {request, context, offered}: LocateOptions,
): Promise<NotInComponentsError> {
  const {wanted, message, code, exitCode, suggestions} = error
  const {components, release} = request
  const others = offered.filter((component) => !components.includes(component))
  try {
    for (const component of others) {
      const silent = {...context, onNotice: undefined}
      const pockets = await openPockets({...request, components: [component]}, silent)
      const available = new AvailablePackages(pockets)
      const found = wanted.find((name) => available.find(name) !== undefined)
      if (found === undefined) continue
      const all = [...components, component].join(',')
      const next = [`The component ${component} of ${release.codename} has ${found}: --components ${all}`]
      return new NotInComponentsError(wanted, [message, {code, exitCode, suggestions: next}])
    }
  } catch (failure) {
    // The other components only improve the message.
    if (!(failure instanceof EnvsError)) throw failure
    return error
  }
  const looked = others.length === 0 ? [] : [`No other component has it either: ${others.join(', ')}.`]
  const near = suggestions.slice(0, -1)
  return new NotInComponentsError(wanted, [message, {code, exitCode, suggestions: [...near, ...looked]}])
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
