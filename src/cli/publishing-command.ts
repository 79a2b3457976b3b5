import {type ConfigWish, parseConfigChanges} from '../environments/publish/config-changes.js'
import type {ImageWish, PublishProgress} from '../environments/publish/publication.js'
import {UsageError} from '../errors.js'
import {EnvsCommand} from './command.js'
import {Flags} from './parse.js'
import {describePublishing, describeRepacking} from './views/publishing.js'

const many = {multiple: true, multipleNonGreedy: true} as const

/** Declares the flags of an image that is made from an environment; `imageWish` reads them. */
export function imageFlags() {
  return {
    squash: Flags.boolean({description: 'one layer with all files', helpGroup: 'IMAGE'}),
    compression: Flags.string({
      description: 'compression of the layers [default: gzip]',
      options: ['gzip', 'zstd', 'none'],
      helpGroup: 'IMAGE',
    }),
    env: Flags.string({description: 'variable', helpValue: 'NAME=VALUE', helpGroup: 'IMAGE', ...many}),
    cmd: Flags.string({
      description: 'command: a line for the shell, or words as a JSON array',
      helpValue: 'COMMAND',
      helpGroup: 'IMAGE',
    }),
    entrypoint: Flags.string({
      description: 'program that every command is given to',
      helpValue: 'COMMAND',
      helpGroup: 'IMAGE',
    }),
    user: Flags.string({
      char: 'u',
      description: 'user of the command [default: root]',
      helpValue: 'USER[:GROUP]',
      helpGroup: 'IMAGE',
    }),
    workdir: Flags.string({
      char: 'w',
      description: 'working folder of the command',
      helpValue: 'FOLDER',
      helpGroup: 'IMAGE',
    }),
    label: Flags.string({description: 'label', helpValue: 'NAME=VALUE', helpGroup: 'IMAGE', ...many}),
    expose: Flags.string({
      description: 'port that the command listens on',
      helpValue: 'PORT[/PROTOCOL]',
      helpGroup: 'IMAGE',
      ...many,
    }),
    'stop-signal': Flags.string({
      description: 'signal that stops the command',
      helpValue: 'SIGNAL',
      helpGroup: 'IMAGE',
    }),
  }
}

type ImageFlags = ConfigWish & {
  readonly squash?: boolean | undefined
  readonly compression?: string | undefined
}

/** Returns the parsed values of {@link imageFlags}. @throws {UsageError} */
export function imageWish(flags: ImageFlags, format: ImageWish['format']): ImageWish {
  const compression =
    flags.compression === 'zstd' || flags.compression === 'none' ? flags.compression : 'gzip'
  if (format === 'docker' && compression === 'zstd')
    throw new UsageError('The format docker has no layers with zstd.', ['Write the format oci: --format oci'])
  return {format, compression, isSquashed: flags.squash === true, changes: parseConfigChanges(flags)}
}

/** Refuses flags of an image where none is made. @throws {UsageError} */
export function refuseImageFlags(flags: Readonly<Record<string, unknown>>): void {
  const used = [...Object.keys(imageFlags()), 'tag'].find((name) => flags[name] !== undefined)
  if (used === undefined) return
  throw new UsageError(`--${used} is for images.`, ['Write an image: --format oci, or --format docker'])
}

type PublishingHooks = {
  readonly signal: AbortSignal
  readonly onProgress: (progress: PublishProgress) => void
}

/** Base of the commands that make an image from an environment. */
export abstract class PublishingCommand extends EnvsCommand {
  /** Runs the work as one stage. */
  protected async runPublishing<Result>(
    title: string,
    work: (hooks: PublishingHooks) => Promise<Result>,
  ): Promise<Result> {
    const signal = this.signal()
    const results: Result[] = []
    const notes: string[] = []
    await this.runStages([
      {
        title,
        async run(report) {
          const onProgress = (progress: PublishProgress) => {
            if (progress.stage === 'repack') notes.push(describeRepacking(progress))
            report(describePublishing(progress), {startedAtMs: undefined, bytes: undefined})
          }
          results.push(await work({signal, onProgress}))
        },
      },
    ])
    for (const note of notes) this.warn(note)
    const [result] = results
    if (result === undefined) throw new Error('a stage that has ended has a result')
    return result
  }
}
