import {EnvsCommand} from '../src/cli/command.js'
import {formatBytes} from '../src/cli/format.js'
import {tolerateClosedStreams} from '../src/cli/output.js'
import {Args, Flags} from '../src/cli/parse.js'
import {copyFiles} from '../src/environments/files/copy.js'
import {type Place, parsePlace} from '../src/environments/files/place.js'
import type {FileCopyResult} from '../src/environments/files/results.js'
import {UsageError} from '../src/errors.js'
import {isEnvironmentName} from '../src/store/environments.js'

export default class Cp extends EnvsCommand {
  static override summary = 'Copy files between an environment and the host.'
  static override description =
    `SOURCE and TARGET are NAME:PATH in an environment, or a path of the host; at least one of them is in an environment. \
A relative PATH begins in the home folder. A folder that exists as TARGET gets a copy with the name of SOURCE in it; \
SOURCE/. means all that is in a folder. - is a tar archive on standard input or output. A stopped environment starts.

Files that come out belong to you. Files that go in belong to root, or to USER. Links are copied as links. Devices, \
sockets and FIFOs are left out.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> play:/etc/apt/sources.list .',
    '<%= config.bin %> <%= command.id %> ./site play:/var/www --user www-data',
    '<%= config.bin %> <%= command.id %> play:/srv/data other:/srv',
    '<%= config.bin %> <%= command.id %> play:/var/log - | tar -tv',
  ]
  static override args = {
    source: Args.string({description: 'file, folder or link to copy', ignoreStdin: true, required: true}),
    target: Args.string({description: 'folder for the copy, or its name', ignoreStdin: true, required: true}),
  }
  static override flags = {
    user: Flags.string({
      char: 'u',
      description: 'user in the environment who reads and writes [default: root]',
      helpValue: 'USER',
    }),
  }

  async run(): Promise<FileCopyResult | undefined> {
    const {args, flags} = await this.parse(Cp)
    const host = this.openHost()
    const from = parsePlace(args.source, host.workingFolder)
    const to = parsePlace(args.target, host.workingFolder)
    if (isClone(from, to)) {
      // Each command of this name made a copy of an environment, before files could be copied.
      const {default: Clone} = await import('./clone.js')
      await Clone.start(this.argv, 'clone')
      return undefined
    }
    this.#check(from, to)
    const signal = this.signal()
    if (to.kind === 'stream') tolerateClosedStreams()
    const request = {from, to, user: flags.user, input: process.stdin, output: process.stdout}
    const done: FileCopyResult[] = []
    const warnings: string[] = []
    await this.runStages([
      {
        title: 'Copy',
        run: async (report) => {
          const result = await copyFiles(host, request, {
            signal,
            onProgress: ({files, bytes}) =>
              report(`${formatBytes(bytes)}, files: ${files}`, {startedAtMs: undefined, bytes}),
            onWarning: (text) => void warnings.push(text),
          })
          done.push(result)
        },
      },
    ])
    for (const text of warnings) this.warn(text)
    const [result] = done
    if (result === undefined) throw new Error('the stage ended without a result')
    return this.#tell(result, to)
  }

  /** @throws {UsageError} */
  #check(from: Place, to: Place): void {
    if (from.kind !== 'guest' && to.kind !== 'guest')
      throw new UsageError('Neither SOURCE nor TARGET is in an environment.', [
        'A file of an environment: envs cp NAME:/PATH .',
        'To copy a whole environment: envs clone NAME NEW',
      ])
    if (to.kind !== 'stream') return
    if (this.jsonEnabled())
      throw new UsageError('With --json, the archive cannot go to standard output.', ['Give a folder.'])
    if (process.stdout.isTTY)
      throw new UsageError('Standard output is a terminal: it cannot take an archive.', ['Give a folder.'])
  }

  #tell(result: FileCopyResult, to: Place): FileCopyResult | undefined {
    const {files, links, bytes, skipped} = result
    this.note(`Copied ${formatBytes(bytes)}, files: ${files}${links === 0 ? '' : `, links: ${links}`}`)
    if (skipped > 0) this.warn(`Left out: ${skipped} (devices, sockets and FIFOs).`)
    return to.kind === 'stream' ? undefined : result
  }
}

/** Returns whether the words are names of environments: a path of the host has a slash, or is in the working folder. */
function isClone(...places: readonly Place[]): boolean {
  return places.every(({kind, text}) => kind === 'host' && isEnvironmentName(text))
}
