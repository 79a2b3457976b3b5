import {join} from 'node:path'
import {aptGroup} from './apt.js'
import {makeArchives} from './archives.js'
import {bootstrapGroup} from './bootstrap.js'
import {creationGroup} from './creation.js'
import {measureDiskUse} from './disk-use.js'
import {extractionGroup} from './extraction.js'
import {fetchingGroup} from './fetching.js'
import type {Findings} from './findings.js'
import {type FreshPlaces, freshFileSystems, freshFolders} from './fresh-places.js'
import {measureIdleMemory} from './idle-memory.js'
import {type Bench, InvocationFailedError} from './invocation.js'
import {largeExtractionGroup, largeRemovalGroup} from './large.js'
import {makeLargeArchive} from './large-archive.js'
import {LARGE, layersGroup, SMALL} from './layers.js'
import {listingGroup} from './listing.js'
import type {Patience} from './load.js'
import {type Group, measure} from './measure.js'
import {networkGroups} from './network.js'
import type {Options, Subject} from './options.js'
import {measurePeakMemory} from './peak-memory.js'
import {openProduct, type Product} from './product.js'
import {registryGroups} from './registry.js'
import {servicesGroup} from './services.js'
import {sessionGroup, sessionMemory} from './sessions.js'
import {startupGroup} from './startup.js'
import {streamGroups} from './streams.js'
import {openFormer, thisVersion, type Version, versionGroups} from './versions.js'

export type Run = {
  readonly options: Options
  readonly bench: Bench
  /** A tar archive compressed with gzip. */
  readonly rootfs: string
  readonly findings: Findings
  readonly patience: Patience
  readonly signal: AbortSignal
}

/** Measures the groups of one subject, and reports the findings. */
export const measureSubject: Readonly<Record<Subject, (run: Run) => Promise<void>>> = {
  startup: (run) =>
    compare('startup', startupGroup(openProduct(run.bench, join(run.bench.folder, 'empty'))), run),
  sessions,
  streams,
  layers,
  extraction,
  large,
  fetching,
  async bootstrap(run) {
    const group = bootstrapGroup({places: await placesFor(run), bench: run.bench})
    await compare('bootstrap', group, run)
    const {findings, ...options} = run
    const bound = {bytes: 300e6, holdsFor: 'all'} as const
    const title = 'Memory, while a minimal system is made of packages'
    findings.addPeakMemory(await measurePeakMemory(group.contenders, {...options, title, bound}))
  },
  async apt(run) {
    const places = await placesFor(run)
    const group = await whereItWorks('apt', () => aptGroup(run.rootfs, {places, bench: run.bench}), run)
    if (group !== undefined) await compare('apt', group, run)
  },
  services,
  registry,
  network,
}

async function network(run: Run): Promise<void> {
  const {rootfs, bench, options} = run
  await withStore('network', run, {
    make: (product) => networkGroups(rootfs, {product, bench, isQuick: options.isQuick}),
    async use({groups, close}) {
      try {
        for (const group of groups) await compare('network', group, run)
      } finally {
        await close()
      }
    },
  })
}

async function registry(run: Run): Promise<void> {
  const {rootfs, bench, options, findings} = run
  const made = await whereItWorks('registry', () => registryGroups(rootfs, bench), run)
  if (made === undefined) return
  try {
    for (const group of made.groups) {
      const rounds = options.rounds.registry
      const result = await measure(group, {...run, rounds, countsFirst: options.isQuick})
      findings.addResult(result)
      findings.addResult(made.processorTime(result))
    }
  } finally {
    await made.close()
  }
}

async function services(run: Run): Promise<void> {
  const {rootfs, bench, findings} = run
  await withStore('services', run, {
    make: (product) => servicesGroup(rootfs, {product, bench}),
    async use({group, memory, close}) {
      try {
        await compare('services', group, run)
        findings.addSessionMemory(await memory())
      } finally {
        await close()
      }
    },
  })
}

async function sessions(run: Run): Promise<void> {
  const {rootfs, bench, findings, options} = run
  const {isQuick} = options
  await withStore('sessions', run, {
    make: (product, home) => sessionGroup(rootfs, {product, home, bench}),
    async use({group, asleep, close}, product) {
      try {
        await compare('sessions', group, run)
        findings.addSessionMemory(await sessionMemory(asleep, {product, bench, isQuick}))
        await versions(thisVersion(product, bench), run)
      } finally {
        await close()
      }
    },
  })
}

/** The memory of an idle session; with a former version, beside that one's, and so the start of sessions. */
async function versions(now: Version, run: Run): Promise<void> {
  const {rootfs, bench, findings, options} = run
  const {former: checkout, isQuick} = options
  if (checkout === undefined) return findings.addIdleMemory(await measureIdleMemory([now], {bench, isQuick}))
  const former = await openFormer(rootfs, {checkout, bench})
  try {
    for (const group of versionGroups(now, former)) await compare('sessions', group, run)
    findings.addIdleMemory(await measureIdleMemory([former, now], {bench, isQuick}))
  } finally {
    await former.close()
  }
}

async function streams(run: Run): Promise<void> {
  const {rootfs, bench, options} = run
  await withStore('streams', run, {
    make: (product) => streamGroups(rootfs, {product, bench, isQuick: options.isQuick}),
    async use(groups) {
      for (const group of groups) await compare('streams', group, run)
    },
  })
}

async function layers(run: Run): Promise<void> {
  const {rootfs, bench, options, findings} = run
  await withStore('layers', run, {
    make: (product) => creationGroup(rootfs, {product, bench}),
    use: ({group, close}) => compare('layers', group, run).finally(close),
  })
  for (const written of options.isQuick ? [SMALL] : [SMALL, LARGE]) {
    await withStore('layers', run, {
      make: (product) => layersGroup(rootfs, {product, written}),
      use: (group) => compare('layers', group, run),
    })
  }
  if (options.isQuick) return
  await withStore('layers', run, {
    make: (product, home) => measureDiskUse(rootfs, {product, home, bench}),
    use: async (use) => findings.addDiskUse(use),
  })
}

async function extraction(run: Run): Promise<void> {
  const {rootfs, bench, options, findings} = run
  const places = await placesFor(run)
  for (const archive of await makeArchives(rootfs, {bench, isQuick: options.isQuick})) {
    if ('reason' in archive)
      findings.leaveOut({name: `extraction, ${archive.format}`, reason: archive.reason})
    else await compare('extraction', extractionGroup(archive, {places, bench}), run)
  }
}

async function large(run: Run): Promise<void> {
  const {rootfs, bench, options, findings, signal} = run
  const {isQuick} = options
  const archive = await whereItWorks('large', () => makeLargeArchive(rootfs, {bench, isQuick}), run)
  if (archive !== undefined) {
    const trees = {archive, rootfs, places: await placesFor(run), bench}
    const extracting = largeExtractionGroup(trees)
    await compare('large', extracting, run)
    const title = 'Memory, while a large tree is made of an archive'
    const watched = isQuick ? extracting.contenders.slice(-1) : extracting.contenders
    const bound = {bytes: 200e6, holdsFor: 'own'} as const
    findings.addPeakMemory(await measurePeakMemory(watched, {title, bound, bench, signal}))
    await compare('large', largeRemovalGroup(trees), run)
  }
  const listing = await whereItWorks('listing', () => listingGroup(rootfs, {bench, isQuick}), run)
  if (listing !== undefined) await compare('large', listing.group, run).finally(listing.close)
}

async function fetching(run: Run): Promise<void> {
  const {rootfs, bench, options} = run
  const {isQuick} = options
  const {group, close} = await fetchingGroup(rootfs, {places: freshFolders(bench), bench, isQuick})
  await compare('fetching', group, run).finally(close)
}

async function compare(subject: Subject, group: Group, run: Run): Promise<void> {
  const {options, findings} = run
  findings.addResult(
    await measure(group, {...run, rounds: options.rounds[subject], countsFirst: options.isQuick}),
  )
}

async function placesFor({options, bench, findings}: Run): Promise<FreshPlaces> {
  const places = options.wantsFreshFileSystem ? await freshFileSystems(bench) : freshFolders(bench)
  findings.addPlaces(places.description)
  return places
}

/** Measures with a separate store, which is emptied in any case; only a failure of `make` is left out. */
async function withStore<Made>(
  subject: Subject,
  run: Run,
  {
    make,
    use,
  }: {
    make: (product: Product, home: string) => Promise<Made>
    use: (made: Made, product: Product, home: string) => Promise<void>
  },
): Promise<void> {
  const home = join(run.bench.folder, subject)
  const product = openProduct(run.bench, home)
  try {
    const made = await whereItWorks(subject, () => make(product, home), run)
    if (made !== undefined) await use(made, product, home)
  } finally {
    await product.clear()
  }
}

/** Leaves out, with the reason, work that the host can't do; rethrows other errors. */
async function whereItWorks<Made>(
  name: string,
  make: () => Promise<Made>,
  {findings}: Run,
): Promise<Made | undefined> {
  try {
    return await make()
  } catch (error) {
    if (!(error instanceof InvocationFailedError)) throw error
    findings.leaveOut({name, reason: error.message})
    return undefined
  }
}
