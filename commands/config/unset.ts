import {EnvsCommand} from '../../src/cli/command.js'
import {settingArg} from '../../src/cli/flags.js'
import type {SettingResult} from '../../src/config/results.js'
import {parseSettingName} from '../../src/config/schema.js'
import {clearSetting, settingEntry, showSettingValue} from '../../src/config/settings.js'

export default class ConfigUnset extends EnvsCommand {
  static override summary = 'Remove a setting from the file.'
  static override description =
    `The built-in value applies afterwards, unless a variable is set. With --json: the effective value afterwards.`
  static override args = {setting: settingArg()}
  static override examples = [
    '<%= config.bin %> <%= command.id %> defaultImage',
    '<%= config.bin %> <%= command.id %> mirrors.ubuntuBase --json',
  ]

  async run(): Promise<SettingResult> {
    const {args} = await this.parse(ConfigUnset)
    const name = parseSettingName(args.setting)
    await clearSetting(this.openHost(), name)
    const entry = settingEntry(await this.settings(), name)
    if (entry.origin === 'variable')
      this.warn(`${entry.variable} is still set: ${showSettingValue(entry)} is in force.`)
    return entry
  }
}
