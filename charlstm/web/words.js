// The words of the page, in English and in Chinese.

export const LANGUAGES = [["en", "English"], ["zh", "中文"]];

/** The browser's language, if the page has it. */
export function chosenLanguage() {
  return navigator.languages.some((language) => language.startsWith("zh")) && !navigator.language.startsWith("en") ? "zh" : "en";
}

export function wordsOf(language) {
  return language === "zh" ? CHINESE : ENGLISH;
}

const ENGLISH = {
  views: { write: "Write", look: "Look inside", learned: "How it learned" },
  writeLead: "Type a beginning. The model goes on, one character at a time. Click on a character to see what else could have stood there.",
  prime: "Beginning", write: "Write", stop: "Stop", again: "Again", undo: "Undo", lookAt: "Look inside this text",
  tint: "Colour: how surprising each character was to the model", settings: "Settings", byChance: "by chance",
  setting: {
    temperature: "Temperature", length: "Characters", topk: "Top-k", topp: "Top-p", minp: "Min-p", stop: "Stop at", seed: "Seed",
  },
  written: "The text", writing: "Writing …",
  wrote: (count, speed, seed) => `${count} characters, ${speed} a second. Seed ${seed}.`,
  neverSaw: (characters) => `The model never saw these characters: ${characters}`,
  wasBits: (character, bits) => `${character} was a surprise of ${bits} bits. What could stand here:`,
  wasFirst: (character) => `${character} is the first character: the model had read nothing before it.`,

  lookLead: "Each character is coloured by a number inside the model when it had read that character. Move with the arrow keys; press ? for all keys.",
  text: "Text", writtenText: "what the model wrote", typedText: "type or paste a text …", typeHere: "Your text", read: "Read it",
  member: "Member", layer: "Layer", unit: "Unit", signal: "Signal", keys: "Keys", close: "Close", textLabel: "The text, coloured",
  reading: "Reading …", nothingToRead: "There is nothing to read yet.",
  tooLong: (most) => `Only the first ${most.toLocaleString("en")} characters are read: more don't fit into the memory.`,
  stepTitle: "What happened at this character", guessTitle: "What the model expects next",
  stripTitle: "This unit along the text", scatterTitle: "Gates that stay open or closed",
  queryTitle: "Which units are on here?", unitsTitle: "Units worth looking at",
  queryLead: "Select a stretch of the text (with the mouse, or Shift and the arrow keys), then ask.",
  ask: "Ask", asked: (from, to) => `Characters ${from} to ${to}: the units that differ most from around them. Click on one to see where else it is so (underlined).`,
  onHere: (unit, inside, around) => `${unit}: ${inside} here, ${around} around`,
  unitOf: (layer, unit) => `layer ${layer}, unit ${unit}`,
  now: (character, at, layer, unit, signal, value) => `${character} (character ${at}) · layer ${layer}, unit ${unit} · ${signal} = ${value}`,
  theEnd: "The text ends here.",
  cameNext: (character, bits) => `Then came ${character}: a surprise of ${bits} bits.`,
  legendGate: "dark blue: 0, the gate is closed · yellow: 1, it is open", legendSigned: "red: −1 · white: 0 · blue: 1",
  closed: "closed →", open: "↑ open",
  scatterLabel: (gate) => `Gate ${gate}: each point is a unit. To the right: how often it is below 0.1. Up: how often it is above 0.9.`,
  remembers: (characters) => `Its gate keeps half of the memory for about ${characters} characters.`,
  remembersLong: "Its gate keeps the memory for more than 10,000 characters.",
  noGate: "This cell has no gate for that.",
  unitsLead: "Found when the page was made: units that follow something that has a name, in the first text. What it is worth: the bits per character that the model loses when the unit is held at zero.",
  noUnits: "None was looked for, or none was found.",
  follows: (strength, isOn) => `${isOn ? "High" : "Low"} there. Strength ${strength} (0: not at all, 1: always), on text that didn't choose it.`,
  worth: (inside, outside) => `Worth ${inside} bits per character there, ${outside} elsewhere.`,
  goTo: (at) => `go to character ${at}`,
  properties: {},
  meaning: {
    i: "input gate: how much of the new is written", f: "forget gate: how much of the old is kept", g: "candidate: the new itself",
    o: "output gate: how much is shown", c: "memory", "c-": "memory before", t: "memory, between −1 and 1", h: "output", "h-": "output before",
    r: "reset gate: how much of the old the new is made from", z: "update gate: how much of the old is kept", n: "candidate: the new itself",
    d: "depth gate: how much comes from the layer below", "c'": "memory of the layer below", "1-f": "how much of the new is written", "1-z": "how much of the new is taken",
    q1: "first round: what h does to the input", q2: "second round: what the input does to h", q3: "third round", q4: "fourth round",
  },
  formula: {
    lstm: "The memory: a part of the old is kept, a part of the new is added. The output: a part of the memory is shown.",
    gru: "A part of the old output is kept; the rest is replaced by the new.",
    rnn: "h = tanh(W x + R h₋ + b): all of the old goes through the weights again.",
    clockwork: "A unit changes at every 1st, 2nd, 4th … character; at the others it stays.",
  },
  keyList: [["← →", "one character back or on"], ["Shift ← →", "select a stretch"], ["Enter", "ask which units are on there"], ["↑ ↓", "another unit"],
    ["Page ↑ ↓", "another layer"], ["i f g o c t h …", "the signal of that name (t: tanh c)"], ["Home End", "the ends of the text"], ["?", "these keys"]],
  learnedLead: "How the model was trained.",
};

const CHINESE = {
  views: { write: "写作", look: "看内部", learned: "学习过程" },
  writeLead: "输入一个开头，模型会一个字一个字地接着写。点一个字，看看这里还可能是什么。",
  prime: "开头", write: "写", stop: "停", again: "重来", undo: "撤销", lookAt: "看这段文字的内部",
  tint: "颜色：每个字对模型来说有多意外", settings: "设置", byChance: "随机",
  setting: { temperature: "温度", length: "字数", topk: "Top-k", topp: "Top-p", minp: "Min-p", stop: "遇到即停", seed: "种子" },
  written: "文字", writing: "正在写……",
  wrote: (count, speed, seed) => `${count} 个字，每秒 ${speed} 个。种子 ${seed}。`,
  neverSaw: (characters) => `模型从没见过这些字：${characters}`,
  wasBits: (character, bits) => `“${character}”带来 ${bits} 比特的意外。这里可能是：`,
  wasFirst: (character) => `“${character}”是第一个字：模型之前什么也没读。`,

  lookLead: "每个字的颜色，是模型读完这个字时内部的一个数。用方向键移动；按 ? 看所有按键。",
  text: "文本", writtenText: "模型写的", typedText: "输入或粘贴……", typeHere: "你的文字", read: "读",
  member: "成员", layer: "层", unit: "单元", signal: "信号", keys: "按键", close: "关闭", textLabel: "着色的文字",
  reading: "正在读……", nothingToRead: "还没有可读的文字。",
  tooLong: (most) => `只读前 ${most.toLocaleString("zh")} 个字：再多内存放不下。`,
  stepTitle: "读到这个字时发生了什么", guessTitle: "模型认为接下来是什么",
  stripTitle: "这个单元在全文中", scatterTitle: "常开和常关的门",
  queryTitle: "哪些单元在这里亮？", unitsTitle: "值得看的单元",
  queryLead: "选一段文字（用鼠标，或 Shift 加方向键），再点“查找”。",
  ask: "查找", asked: (from, to) => `第 ${from} 到 ${to} 个字：与周围差别最大的单元。点一个，看它还在哪里如此（下划线）。`,
  onHere: (unit, inside, around) => `${unit}：这里 ${inside}，周围 ${around}`,
  unitOf: (layer, unit) => `第 ${layer} 层，单元 ${unit}`,
  now: (character, at, layer, unit, signal, value) => `${character}（第 ${at} 个字）· 第 ${layer} 层，单元 ${unit} · ${signal} = ${value}`,
  theEnd: "文字到此为止。",
  cameNext: (character, bits) => `接着是“${character}”：${bits} 比特的意外。`,
  legendGate: "深蓝：0，门关着 · 黄：1，门开着", legendSigned: "红：−1 · 白：0 · 蓝：1",
  closed: "关 →", open: "↑ 开",
  scatterLabel: (gate) => `门 ${gate}：每个点是一个单元。越靠右，小于 0.1 的时候越多；越靠上，大于 0.9 的时候越多。`,
  remembers: (characters) => `它的门大约在 ${characters} 个字后还留下一半的记忆。`,
  remembersLong: "它的门能把记忆留住一万个字以上。",
  noGate: "这种单元没有这样的门。",
  unitsLead: "做这一页时找到的：在第一段文本里跟着某个有名字的东西走的单元。它值多少：把这个单元固定为零，模型每个字多出的比特数。",
  noUnits: "没有查找，或者没有找到。",
  follows: (strength, isOn) => `在那里${isOn ? "高" : "低"}。强度 ${strength}（0：毫无关系，1：总是如此），在没有用来挑选它的文字上测得。`,
  worth: (inside, outside) => `在那里值每字 ${inside} 比特，在别处 ${outside}。`,
  goTo: (at) => `到第 ${at} 个字`,
  properties: {},
  meaning: {
    i: "输入门：写入多少新的", f: "遗忘门：保留多少旧的", g: "候选：新的内容", o: "输出门：显示多少",
    c: "记忆", "c-": "之前的记忆", t: "记忆，压到 −1 与 1 之间", h: "输出", "h-": "之前的输出",
    r: "重置门：新的有多少来自旧的", z: "更新门：保留多少旧的", n: "候选：新的内容",
    d: "深度门：从下层来多少", "c'": "下层的记忆", "1-f": "写入多少新的", "1-z": "换成多少新的",
    q1: "第一轮：h 怎样改输入", q2: "第二轮：输入怎样改 h", q3: "第三轮", q4: "第四轮",
  },
  formula: {
    lstm: "记忆：留下一部分旧的，加上一部分新的。输出：显示记忆的一部分。",
    gru: "旧的输出留下一部分，其余换成新的。",
    rnn: "h = tanh(W x + R h₋ + b)：旧的全部再过一遍权重。",
    clockwork: "一个单元每 1、2、4……个字变一次；其余时候不变。",
  },
  keyList: [["← →", "前一个字，后一个字"], ["Shift ← →", "选一段"], ["Enter", "查找哪些单元在那里亮"], ["↑ ↓", "换单元"],
    ["Page ↑ ↓", "换层"], ["i f g o c t h …", "这个名字的信号（t：tanh c）"], ["Home End", "文字的两端"], ["?", "这些按键"]],
  learnedLead: "模型是怎样训练出来的。",
};
