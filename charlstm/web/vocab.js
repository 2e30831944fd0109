// Characters ↔ ids. As charlstm/text/vocab.py.

/** Stands for characters that are rare in the training text. It is read and never written. */
export const UNKNOWN = "\ufffd";

/** Closes a document. Readers never see it. */
export const END = "\ufdd0";

export class Vocab {
  /** @param {string} characters every character once; the id of a character is its place */
  constructor(characters) {
    this.characters = Array.from(characters);
    this.ids = new Map(this.characters.map((character, id) => [character, id]));
  }

  has(character) {
    return this.ids.has(character);
  }

  /** The text as the model reads it: line ends as "\n", and letters in the form, NFC or NFD, that is known. */
  fitted(text) {
    text = text.replace(/\r\n?/g, "\n");
    if (!this.missing(text).length) return text;
    const forms = (letter) => [letter, letter.normalize("NFC"), letter.normalize("NFD")];
    const letters = text.match(/\P{M}\p{M}*|\p{M}+/gu) ?? [];
    return letters.map((letter) => forms(letter).find((form) => !this.missing(form).length) ?? letter).join("");
  }

  /** The characters of a text that the model never saw, each once; and END, which nobody may write. */
  missing(text) {
    return [...new Set(text)].filter((character) => !this.has(character) || character === END);
  }

  /**
   * Ids of a text. Unknown characters are read as U+FFFD or, where the model lacks that, as a space; without both they
   * are left out. `shown` has the characters of the text, one for each id.
   */
  encode(text) {
    const substitute = [UNKNOWN, " "].find((character) => this.has(character));
    const shown = Array.from(text).filter((c) => (this.has(c) && c !== END) || substitute !== undefined);
    return { shown, ids: shown.map((c) => this.ids.get(this.has(c) && c !== END ? c : substitute)) };
  }

  /** What is read before a text of ids, and isn't part of it: the end of the document before, or of a line. */
  opening(ids) {
    if (this.has(END)) return [this.ids.get(END)];
    if (ids.length) return [];
    return [this.ids.get(["\n", " "].find((character) => this.has(character)) ?? this.characters[0])];
  }
}
