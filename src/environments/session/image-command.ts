import {UsageError} from '../../errors.js'
import type {Host} from '../../host/host.js'
import type {SessionFields} from '../../sandbox/session-options.js'
import {chooseEnvironment} from '../../store/environments.js'

/** A command, and the options of its session. */
export type CommandWish = {readonly command: readonly string[]; readonly fields: Readonly<SessionFields>}

/**
 * Completes a command by the configuration of the image, as Docker does: without a command, the image's own; with `entrypoint`, the
 * image's entrypoint in front of it. Both run as the image's user, unless the options name one. Any other command stays as it is, and
 * runs as root.
 *
 * @throws {UsageError} When there is no command, here and in the image.
 */
export async function withImageCommand(
  host: Host,
  name: string | undefined,
  {command, fields, entrypoint}: CommandWish & {readonly entrypoint: boolean},
): Promise<CommandWish> {
  if (command.length > 0 && !entrypoint) return {command, fields}
  const {record, name: environment} = await chooseEnvironment(host.paths, name)
  const config = record.image.container?.config
  const words = [...(config?.entrypoint ?? []), ...(command.length > 0 ? command : (config?.command ?? []))]
  if (config === undefined || words.length === 0)
    throw new UsageError('No command was given.', [`envs enter ${environment}`])
  return {command: words, fields: {...fields, user: fields.user ?? config.user ?? undefined}}
}
