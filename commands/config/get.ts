import {EnvsCommand} from '../../src/cli/command.js'
import {settingArg} from '../../src/cli/flags.js'
import type {SettingResult} from '../../src/config/results.js'
import {parseSettingName} from '../../src/config/schema.js'
import {settingEntry, showSettingValue} from '../../src/config/settings.js'

export default class ConfigGet extends EnvsCommand {
  static override summary = 'Show the effective value of a setting.'
  static override description =
    'Prints an empty line for a setting that has neither a value nor a built-in default.'
  static override args = {setting: settingArg()}
  static override examples = [
    '<%= config.bin %> <%= command.id %> identity',
    '<%= config.bin %> <%= command.id %> mirrors.ubuntuBase --json',
  ]

  async run(): Promise<SettingResult> {
    const {args} = await this.parse(ConfigGet)
    const name = parseSettingName(args.setting)
    const entry = settingEntry(await this.settings(), name)
    this.print(showSettingValue(entry))
    return entry
  }
}
