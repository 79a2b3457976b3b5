// Phrases that a reader from outside of the project stumbles over, each with the plain way to write it.
// docs/decisions/0041-language.md says why; a phrase joins the list when a review finds it twice.

/** Begins a sentence: the text's start, or a full stop, colon or semicolon before it. */
const BEGIN = String.raw`(?<=^|[.:;!?]["')*]*\s)`

/**
 * `pattern` is searched in paragraphs whose line breaks are spaces.
 * A question may begin with "What": `unless` is tested on the rest of the sentence.
 */
export const DENIED = [
  {
    pattern: new RegExp(`${BEGIN}(?:What|Whatever|Whoever|Whichever|That which)\\b(?! (?:if|about)\\b)`, 'g'),
    unless: /^[^.!]*\?/,
    write: 'a noun as the subject: "files that …", "the caller"',
  },
  {
    pattern: /(?<=[.;] |, and )(?:whatever|whoever|that which)\b/g,
    write: 'the noun that is meant',
  },
  {
    pattern: /\b(?:is|are|be|was) (?:again )?what (?:it|they) (?:was|were)\b/gi,
    write: '"is back at …", "is unchanged"',
  },
  {pattern: /\b(?:is|are|was|were|be|been) told (?:of|by)\b/gi, write: '"knows", "reports", "receives"'},
  {pattern: /\b(?:come|comes|came|coming) about\b/gi, write: '"is made", "happens", "results from"'},
  {
    pattern: /\b(?:lie|lies|lay|laid) (?:beside|below|beneath|in wait|about|there)\b/gi,
    write: '"is in", "is next to"',
  },
  {pattern: /\b(?:stand|stands|stood|standing) still\b/gi, write: '"is frozen", "is paused", "is suspended"'},
  {pattern: /\bnobody['’]s\b/gi, write: '"has no owner", "is unclaimed"'},
  {
    pattern: /\b(?:thereof|therein|thereby|wherein|whereof|whereby|hitherto|henceforth|lest)\b/gi,
    write: 'a new sentence',
  },
  {pattern: /\b(?:anew|afresh)\b/gi, write: '"again"'},
  {pattern: /\b(?:can|could|may|to|must|not) be had\b/gi, write: '"is available", "can be fetched"'},
  {pattern: /\b(?:what|which) becomes? of\b|\bbec[ao]me of\b/gi, write: '"the result of"'},
  {pattern: /\bis none of\b|\bare none of\b/gi, write: '"is not a …", "was not created by …"'},
  {
    pattern: /\bto the letter\b|\bfor nothing\b|\bto the truth\b|\bin the midst\b|\bof old(?=[.,;])/gi,
    write: 'the fact itself',
  },
  {
    pattern: /\b(?:and|that) (?:is|was) said\b|\bis said so\b|\b(?:and|it) says? so\b/gi,
    write: '"and envs reports it"',
  },
  {pattern: /\btakes? (?:\w+ )?away\b|\btaken away\b|\btook (?:\w+ )?away\b/gi, write: '"removes"'},
  {
    pattern: /\b(?:time|date|hour|day|life) is over\b|\bValid-Until` is over\b/gi,
    write: '"has expired", "has ended"',
  },
  {pattern: /\bso many (?:days|hours|bytes|of)\b/gi, write: 'the number, or "this many"'},
  {
    pattern: /\bit goes\b|\bthat goes\b|\bwhich goes\b|\bgoes (?:with|too|in|by|on)\b/gi,
    write: '"is removed", "continues", "is passed"',
  },
  {pattern: /\bof one['’]s own\b|\bof ones own\b/gi, write: '"private", "own …"'},
  {pattern: /\bwhere nobody looks\b|\bnobody asked\b|\basks? nobody\b/gi, write: 'the mechanism'},
]
