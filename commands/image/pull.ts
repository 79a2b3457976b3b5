import {EnvsCommand} from '../../src/cli/command.js'
import {
  allowSha1Flag,
  architectureFlag,
  architectureIn,
  archiveFlags,
  archiveOptions,
  dryRunFlag,
  offlineFlag,
  timingsFlag,
  verifyFlag,
} from '../../src/cli/flags.js'
import {Args} from '../../src/cli/parse.js'
import {renderFields} from '../../src/cli/table.js'
import {noting} from '../../src/cli/views/creation.js'
import {imageStages} from '../../src/cli/views/image-stages.js'
import {imageFields} from '../../src/cli/views/preview.js'
import type {ImageAcquisition} from '../../src/environments/create/image-acquisition.js'
import type {ExtractionEvent, PulledImage} from '../../src/environments/create/image-description.js'
import {beginPull} from '../../src/environments/create/pull.js'
import {imageContext} from '../../src/environments/create/request.js'
import type {PulledImageResult} from '../../src/images/results.js'

export default class ImagePull extends EnvsCommand {
  static override summary = 'Download an image, verify it and cache it.'
  static override description =
    `IMAGE is a name as in envs create, also that of an image in a container registry. Asks the publisher for the newest version, except with --offline; an image that is cached already is not downloaded again. With \
--dry-run: only shows the newest version.`
  static override aliases = ['image:fetch']
  static override examples = [
    '<%= config.bin %> <%= command.id %> focal',
    '<%= config.bin %> <%= command.id %> ubuntu:noble/minimal --dry-run --json',
  ]
  static override args = {
    image: Args.string({description: 'name of the image', ignoreStdin: true, required: true}),
  }
  static override flags = {
    'dry-run': dryRunFlag(),
    verify: verifyFlag(),
    'allow-sha1-signatures': allowSha1Flag(),
    offline: offlineFlag(),
    arch: architectureFlag("processor that its programs are for; the host's when left out"),
    ...archiveFlags(),
    timings: timingsFlag(),
  }

  async run(): Promise<PulledImageResult> {
    const {args, flags} = await this.parse(ImagePull)
    const host = this.openHost()
    const signal = this.signal()
    const dryRun = flags['dry-run'] === true
    const allowSha1 = flags['allow-sha1-signatures'] === true
    const settings = await this.settings()
    const context = imageContext(host, settings, {
      ...{signal, allowSha1, verify: flags.verify, offline: flags.offline},
      onNotice: this.reportNotice,
    })
    const wish = {
      image: args.image,
      architecture: architectureIn(flags) ?? host.architecture,
      archive: archiveOptions(flags),
    }
    const pull = await beginPull(host, wish, {settings, context, signal, onNotice: this.reportNotice})
    try {
      await this.#get(pull, dryRun)
    } finally {
      await pull.close()
    }
    if (pull.fallback !== undefined) this.note(pull.fallback)
    const pulled = pull.describe()
    this.#tell(pulled, {dryRun, fetched: pull.isMade || pull.isMadeInstead ? 'Made' : 'Fetched'})
    return {...pulled, dryRun}
  }

  async #get(pull: ImageAcquisition, dryRun: boolean): Promise<void> {
    const {onDownload, onResolved, onUnreachable} = this.creationHooks()
    const stages = imageStages({
      isMade: pull.isMade,
      layers: () => pull.layers,
      async find(report) {
        const step = await pull.resolve({onMaking: noting(onDownload, report), onResolved})
        if (dryRun) return 'none'
        if (step !== 'kept') return step
        // An image that is here is written down as the answer of the day.
        await pull.keep({onProgress: onDownload, onUnreachable})
        return 'none'
      },
      get(report) {
        const onProgress = noting(onDownload, report)
        const onExtraction = (progress: Omit<ExtractionEvent, 'stage'>) =>
          report({stage: 'extraction', ...progress})
        return pull.keep({onProgress, onExtraction, onMaking: onProgress, onUnreachable})
      },
    })
    await this.runStages(stages)
  }

  #tell(pulled: PulledImage, {dryRun, fetched}: {dryRun: boolean; fetched: string}): void {
    const {name, version, sha256, wasKept} = pulled
    if (dryRun) this.#printPlan(pulled)
    else this.print(`${wasKept ? 'Had' : fetched} ${name} ${version}, sha256:${sha256}`)
  }

  #printPlan({sha256, wasKept, ...image}: PulledImage): void {
    const would = wasKept ? 'found on this host' : sha256 === null ? 'made' : 'fetched'
    this.print(renderFields([...imageFields({...image, sha256}), ['Would be', would]]))
  }
}
