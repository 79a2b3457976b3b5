import {Config} from '@oclif/core/config'
import {loadHelpClass} from '@oclif/core/help'
import {settings} from '@oclif/core/settings'
import {packageRoot} from '../host/paths.js'
import {tolerateClosedStreams} from './output.js'

/** Shows oclif's help. @param subject - Name of a command or a topic, words separated by `:`; empty for all. */
export async function showHelp(subject: readonly string[]): Promise<void> {
  // oclif would look for the TypeScript sources if NODE_ENV is development or test.
  settings.enableAutoTranspile = false
  tolerateClosedStreams()
  const config = await Config.load({root: packageRoot()})
  const Help = await loadHelpClass(config)
  await new Help(config, config.pjson.oclif.helpOptions).showHelp([...subject])
}
