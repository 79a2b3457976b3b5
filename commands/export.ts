import {resolve} from 'node:path'
import {forceFlag, nameArg} from '../src/cli/flags.js'
import {formatBytes} from '../src/cli/format.js'
import {Flags} from '../src/cli/parse.js'
import {imageFlags, imageWish, PublishingCommand, refuseImageFlags} from '../src/cli/publishing-command.js'
import {describeImageEvents} from '../src/cli/views/image-stages.js'
import {EXPORT_FORMATS, type ExportResult, exportEnvironment} from '../src/environments/export/export.js'
import type {ImageExportRequest, ImageExportResult} from '../src/environments/publish/export-image.js'
import {UsageError} from '../src/errors.js'
import type {Host} from '../src/host/host.js'

export default class Export extends PublishingCommand {
  static override summary = 'Write an environment to one file.'
  static override description =
    `Writes a tarball of the whole tree with owners, modes, hard links, capabilities and device nodes, for envs \
import, tar, podman import or docker import. Snapshots are not included. The environment must not be running. Without \
-o, the tarball goes to standard output.

With --format oci or docker it writes an image with layers, for podman load, docker load, skopeo and others: one layer \
of the image that the environment was made from, one for each snapshot, and one for the changes since. Keys and names \
of the machine, and the files of envs, are left out. With SOURCE_DATE_EPOCH set, the same files make the same image.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> play -o play.tar.zst',
    '<%= config.bin %> <%= command.id %> play | ssh HOST envs import -',
    '<%= config.bin %> <%= command.id %> play --format oci -o play.tar --cmd "nginx -g \'daemon off;\'" --expose 80',
  ]
  static override args = {name: nameArg()}
  static override flags = {
    output: Flags.string({char: 'o', description: 'file to write', helpValue: 'FILE'}),
    format: Flags.option({
      description:
        'compression of a tarball, or oci or docker for an image [default: by the file name, else zst]',
      options: [...EXPORT_FORMATS, 'oci', 'docker'] as const,
    })(),
    force: forceFlag('replace an existing file'),
    tag: Flags.string({
      description: 'name of the image in the file [default: that of the environment]',
      helpValue: 'NAME[:TAG]',
      helpGroup: 'IMAGE',
    }),
    ...imageFlags(),
  }

  async run(): Promise<ExportResult | ImageExportResult> {
    const {args, flags} = await this.parse(Export)
    const host = this.openHost()
    const {format} = flags
    const common = {
      name: args.name,
      to: this.#destination(host, flags.output, args.name),
      replaces: flags.force === true,
    }
    if (format === 'oci' || format === 'docker')
      return this.#exportImage(host, {...common, ...imageWish(flags, format), tag: flags.tag})
    refuseImageFlags(flags)
    const request = {...common, format}
    const signal = this.signal()
    const describe = describeImageEvents(() => performance.now())
    let result: ExportResult | undefined
    await this.runStages([
      {
        title: 'Export',
        async run(report) {
          result = await exportEnvironment(host, request, {
            signal,
            onProgress(progress) {
              const figures = {startedAtMs: undefined, bytes: progress.bytes}
              report(describe({stage: 'extraction', ...progress}), figures)
            },
          })
        },
      },
    ])
    if (result === undefined) throw new Error('a stage that has ended has a result')
    return this.#tell(result)
  }

  async #exportImage(host: Host, request: ImageExportRequest): Promise<ImageExportResult> {
    const settings = await this.settings()
    const result = await this.runPublishing('Export', async (options) => {
      const {exportImage} = await import('../src/environments/publish/export-image.js')
      return exportImage(host, request, {settings, ...options})
    })
    const {image} = this.#tell(result)
    this.note(`Image ${[...image.tags, image.digest].join(', ')}; layers: ${image.layers.length}`)
    return result
  }

  /** @throws {UsageError} */
  #destination(
    {workingFolder}: Host,
    output: string | undefined,
    name: string,
  ): string | typeof process.stdout {
    if (output !== undefined && output !== '-') return resolve(workingFolder, output)
    const toFile = `Write to a file: envs export ${name} -o ${name}.tar.zst`
    if (this.jsonEnabled())
      throw new UsageError('With --json, the archive cannot go to standard output.', [toFile])
    if (process.stdout.isTTY)
      throw new UsageError('Standard output is a terminal: it cannot take an archive.', [toFile])
    return process.stdout
  }

  #tell<Result extends ExportResult | ImageExportResult>(result: Result): Result {
    const {name, file, sizeBytes, sha256} = result
    if (file !== null) this.print(`Exported ${name} to ${file}`)
    this.note(`${formatBytes(sizeBytes)}, SHA-256 ${sha256}`)
    return result
  }
}
