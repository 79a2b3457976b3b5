import {Config} from '@oclif/core/config'
import {loadHelpClass} from '@oclif/core/help'
import {settings} from '@oclif/core/settings'
import {packageRoot} from '../host/paths.js'
import {tolerateClosedStreams} from './output.js'

/** Shows the library's help. @param subject - Name of a command or a group, words separated by `:`; empty for all. */
export async function showHelp(subject: readonly string[]): Promise<void> {
  // Would look for the TypeScript sources behind the build whenever NODE_ENV says development or test.
  settings.enableAutoTranspile = false
  tolerateClosedStreams()
  const config = await Config.load({root: packageRoot()})
  const Help = await loadHelpClass(config)
  await new Help(config, config.pjson.oclif.helpOptions).showHelp([...subject])
}
