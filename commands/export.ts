import {resolve} from 'node:path'
import {EnvsCommand} from '../src/cli/command.js'
import {forceFlag, nameArg} from '../src/cli/flags.js'
import {formatBytes} from '../src/cli/format.js'
import {Flags} from '../src/cli/parse.js'
import {describeImageEvents} from '../src/cli/views/image-stages.js'
import {EXPORT_FORMATS, type ExportResult, exportEnvironment} from '../src/environments/export/export.js'
import {UsageError} from '../src/errors.js'
import type {Host} from '../src/host/host.js'

export default class Export extends EnvsCommand {
  static override summary = 'Write an environment to one file.'
  static override description =
    `Writes a tarball of the whole tree with owners, modes, hard links, capabilities and device nodes, for envs \
import, tar, podman import or docker import. Snapshots are not included. The environment must not be running. Without \
-o, the tarball goes to standard output.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> play -o play.tar.zst',
    '<%= config.bin %> <%= command.id %> play | ssh HOST envs import -',
  ]
  static override args = {name: nameArg()}
  static override flags = {
    output: Flags.string({char: 'o', description: 'file to write', helpValue: 'FILE'}),
    format: Flags.option({
      description: 'compression [default: by the file name, else zst]',
      options: EXPORT_FORMATS,
    })(),
    force: forceFlag('replace an existing file'),
  }

  async run(): Promise<ExportResult> {
    const {args, flags} = await this.parse(Export)
    const host = this.openHost()
    const request = {
      name: args.name,
      to: this.#destination(host, flags.output, args.name),
      format: flags.format,
      replaces: flags.force === true,
    }
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

  #tell(result: ExportResult): ExportResult {
    const {name, file, sizeBytes, sha256} = result
    if (file !== null) this.print(`Exported ${name} to ${file}`)
    this.note(`${formatBytes(sizeBytes)}, SHA-256 ${sha256}`)
    return result
  }
}
