import * as v from 'valibot'
import type {RecordOf} from '../host/records.js'

export const settingResult = v.object({
  name: v.string(),
  value: v.nullable(v.union([v.string(), v.array(v.string())])),
  origin: v.picklist(['flag', 'variable', 'file', 'built-in']),
  variable: v.string(),
})
export type SettingResult = RecordOf<typeof settingResult>
