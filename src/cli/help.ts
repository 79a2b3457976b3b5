import type {Command} from '@oclif/core/command'
import {Config} from '@oclif/core/config'
import {Help} from '@oclif/core/help'
import {settings} from '@oclif/core/settings'
import {packageRoot} from '../host/paths.js'
import {tolerateClosedStreams} from './output.js'

/** Shows oclif's help. @param subject - Name of a command or a topic, words separated by `:`; empty for all. */
export async function showHelp(subject: readonly string[]): Promise<void> {
  // oclif would look for the TypeScript sources if NODE_ENV is development or test.
  settings.enableAutoTranspile = false
  tolerateClosedStreams()
  const config = await Config.load({root: packageRoot()})
  const HelpWithAliases = helpWithAliases()
  await new HelpWithAliases(config, config.pjson.oclif.helpOptions).showHelp([...subject])
}

/**
 * Returns oclif's help, which shows the other names of a command in the help of that command alone: here they follow its summary in
 * a list of commands too. A function, so that the library of help is loaded for help alone.
 */
function helpWithAliases(): typeof Help {
  return class extends Help {
    protected override summary(command: Command.Loadable): string | undefined {
      const names = command.aliases.map((alias) => alias.replaceAll(':', ' '))
      const summary = super.summary(command)
      return names.length === 0 ? summary : `${summary ?? ''} (also: ${names.join(', ')})`
    }
  }
}
