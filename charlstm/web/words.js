// The words of the page, in English and in Chinese.

export const LANGUAGES = [["en", "English"], ["zh", "中文"]];

/** The browser's language, if the page has it. */
export function chosenLanguage() {
  const codes = navigator.languages.map((language) => language.slice(0, 2));
  return codes.find((code) => LANGUAGES.some(([own]) => own === code)) ?? "en";
}

export function wordsOf(language) {
  return language === "zh" ? CHINESE : ENGLISH;
}

/** The properties "verse-1" to "verse-7". */
function verses(told) {
  return Object.fromEntries([1, 2, 3, 4, 5, 6, 7].map((number) => [`verse-${number}`, told(number)]));
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
  why: { length: "", stop: "It came to the text to stop at.", document: "Here the model ended the text." },
  failed: (why) => `This browser can't compute it: ${why}`,
  neverSaw: (characters) => `The model never saw these characters: ${characters}`,
  wasBits: (character, bits) => `“${character}” was a surprise of ${bits} bits. What could stand here:`,
  wasFirst: (character) => `“${character}” is the first character: the model had read nothing before it.`,

  lookLead: "Each character is coloured by a number inside the model when it had read that character. Click on a character, or move with the arrow keys. Press ? for all keys.",
  text: "Text", writtenText: "what the model wrote", typedText: "type or paste a text …", typeHere: "Your text", read: "Read it",
  member: "Member", layer: "Layer", unit: "Unit", signal: "Signal", keys: "Keys", close: "Close", textLabel: "The text, coloured",
  reading: "Reading …", readSoFar: (count, all) => `Reading: ${count} of ${all} characters …`, nothingToRead: "There is nothing to read yet.",
  notInAddress: "This text is too long for the page's address: whoever gets the address sees another text.",
  tooLong: (most) => `Only the first ${most.toLocaleString("en")} characters are read: more don't fit into the memory.`,
  stepTitle: "What happened at this character", guessTitle: "What the model expects next",
  stripTitle: "This unit along the text", scatterTitle: "Gates that stay open or closed",
  queryTitle: "Which units are on here?", unitsTitle: "Units worth looking at",
  queryLead: "Select a stretch of the text (with the mouse, or Shift and the arrow keys), then ask.",
  ask: "Ask", selectFirst: "Select a stretch of the text first.",
  asked: (from, to) => `Characters ${from} to ${to}. These units have other numbers there than before and after it. Click on one to see where else it is so.`,
  elsewhere: "Also there (underlined in the text):", nowhere: "Nowhere else in this text.",
  onHere: (unit, inside, around) => `${unit}: ${inside} here, ${around} around`,
  unitOf: (layer, unit, member) => `${member ? `member ${member}, ` : ""}layer ${layer}, unit ${unit}`,
  now: (character, at, unit, signal, value) => `${character} (character ${at}) · ${unit} · ${signal} = ${value}`,
  theEnd: "The text ends here.",
  cameNext: (character, bits) => `Then came “${character}”: a surprise of ${bits} bits.`,
  legendGate: "dark blue: 0, the gate is closed · yellow: 1, it is open", legendSigned: "red: −1 · white: 0 · blue: 1",
  closed: "closed →", open: "↑ open",
  scatterLabel: (gate) => `Gate ${gate}: each point is a unit. To the right: how often the gate is closed (below 0.1). Up: how often it is open (above 0.9). Bottom left: mostly half open.`,
  remembers: (characters) => `Its gate keeps half of the memory for about ${characters} characters.`,
  remembersLong: "Its gate keeps the memory for more than 10,000 characters.",
  noGate: "This cell has no gate for that.",
  unitsLead: "Found when the page was made: units that follow something that has a name, in the first text. The first half of the text chose them; the numbers are from the second half. What a unit is worth: how much worse the model predicts, in bits per character, when the unit is held at zero. Near 0, other units know the same.",
  noUnits: "None was looked for, or none was found.",
  follows: (strength, isOn, signal) => `Its ${signal === "c" ? "memory" : "output"} is ${isOn ? "high" : "low"} there. Strength ${strength} (0: no connection, 1: always).`,
  worth: (inside, outside) => `Worth ${inside} bits per character there, ${outside} elsewhere.`,
  goTo: (at) => `go to character ${at}`,
  stripRange: (low) => `From ${low}, below, to 1, above.`,
  properties: {
    "in-quotes": "inside quotation marks", "in-brackets": "inside brackets", "in-tag": "inside a tag <…>", "in-titles": "inside 《…》",
    "in-corners": "inside 「…」", "line-end": "after a line end", "line-first": "the first character of a line", "line-start": "the beginning of a line",
    "line-tail": "far into a long line", indentation: "indentation", "in-word": "inside a word", "upper-case": "capital letters",
    digit: "digits", punctuation: "after punctuation", "verse-last": "the last character of a verse",
    ...verses((number) => `character ${number} of a verse`),
  },
  meaning: {
    i: "input gate: how much of the new is written", f: "forget gate: how much of the old is kept", g: "candidate: the new itself",
    o: "output gate: how much is shown", c: "memory", "c-": "memory before", t: "memory, between −1 and 1", h: "output", "h-": "output before",
    r: "reset gate: how much of the old the new is made from", z: "update gate: how much of the old is kept", n: "candidate: the new itself",
    d: "depth gate: how much comes from the layer below", "c'": "memory of the layer below", "1-f": "how much of the new is written", "1-z": "how much of the new is taken",
    q1: "first round: what h does to the input", q2: "second round: what the input does to h", q3: "third round", q4: "fourth round",
  },
  formula: {
    lstm: "The memory: a part of the old is kept, a part of the new is added. The output: a part of the memory is shown. (⊙ multiplies; c₋ is the c of the character before.)",
    gru: "A part of the old output is kept; the rest is replaced by the new: n = tanh(W x + r ⊙ (R h₋ + b′) + b). (⊙ multiplies; h₋ is the h of the character before.)",
    "gru-reset-before": "A part of the old output is kept; the rest is replaced by the new: n = tanh(W x + R (r ⊙ h₋) + b). (⊙ multiplies; h₋ is the h of the character before.)",
    rnn: "h = tanh(W x + R h₋ + b): all of the old goes through the weights again.",
    clockwork: "A unit changes at every 1st, 2nd, 4th … character; at the others it stays.",
  },
  keyList: [["← →", "one character back or on"], ["Shift ← →", "select a stretch"], ["Enter", "ask which units are on there"], ["↑ ↓", "another unit"],
    ["Page ↑ ↓", "another layer"], ["i f g o c t h …", "the signal of that name (t: tanh c)"], ["Home End", "the ends of the text"], ["?", "these keys"]],
  learnedLead: "How the model was trained: what it could do at each report, and what it was made of. Point at a curve, or press Tab and the arrow keys, to read the numbers of a report.",
  learned: {
    nothing: "This page was made from a model alone: how it was trained isn't known here.",
    details: "More about this run",
    chart: {
      bits: "Bits per character (less is better)", rate: "Learning rate", speed: "Characters a second", norm: "Norm of the gradient, before clipping",
    },
    logarithmic: "(logarithmic)", axis: "What the curves are drawn over", over: { step: "Steps", time: "Minutes" },
    heldOut: "validation: text that it doesn't learn from", validation: "validation", training: "training", ring: "○ the best validation",
    step: "step", at: (step) => `step ${step}`, epoch: "epoch", time: "after", rate: "learning rate", speed: "speed", norm: "gradient norm",
    minutes: (minutes) => `${minutes} min`, bits: (bits) => `${bits} bits`, aSecond: (count) => `${count} characters/s`,
    sample: "What it wrote at this report", noSample: "Of this report no sample was kept.",
    goesOn: (step, steps, time, minutes) => `The training was at step ${step} of ${steps}${time && ` at ${time}`}${minutes ? `, with about ${minutes} minutes to go` : ""}. Reload the page to see more. At its end, the model comes into the page, too.`,
    withoutModel: "This page shows how the model learned. The model itself isn't in it.",
    noReports: "This run has no report yet, or its metrics.jsonl wasn't there when the page was made.",
    lacks: (fields) => `Not kept: ${fields.join(", ")}.`,
    lacking: { sample: "samples (an earlier version wrote its reports)", grad_norm: "the norm of the gradient (an earlier version wrote its reports)", val_bits_per_char: "validation (no text was set aside for it)" },
    samplesTitle: "What it wrote along the way", samplesLead: "Some of its samples, from the first report to the last. Point at a curve to read the others.",
    runsTitle: "The runs", runColumns: ["Run", "Best validation (bits)", "Minutes", "Steps", "Parameters", "Cell", "Layers × units"],
    layersTitle: "Layers", layerColumns: ["Layer", "Output shape", "Parameters"], total: "total", members: (count) => `total of ${count} such models, whose guesses are averaged`,
    layersLead: "The shape: texts side by side, characters in a step, numbers for each character.",
    settingsTitle: "Settings", settingColumns: ["Setting", "Value"], chosen: "Chosen: ", reason: (text) => text,
    settingsChosen: "Those that are marked were chosen for the text and the time. The others were given, or are defaults.",
    settingsGiven: "They were given, or are defaults: none was chosen for the text and the time.",
    yesOrNo: (value) => (value ? "yes" : "no"),
    originTitle: "Text, machine and versions", standardLibrary: "the standard library of Python", characters: (count) => `${count} characters`, everySteps: (count) => `every ${count} steps`,
    origin: { text: "Text", documents: "Documents", from: "Began with", began: "Began", machine: "Machine", processor: "Processor", versions: "Versions", reports: "Reports" },
    noMachine: "Not kept: machine and versions (an earlier version began it).",
    commandsTitle: "Commands", typed: "It was begun with:", commands: { sample: "Let it write:", resume: "Go on with the training (give more --steps, --epochs or --minutes if it is finished):" },
  },
};

const CHINESE = {
  views: { write: "写作", look: "看内部", learned: "学习过程" },
  writeLead: "输入一个开头，模型会一个字一个字地接着写。点一个字，看看这里还可能是什么。",
  prime: "开头", write: "写", stop: "停", again: "重来", undo: "撤销", lookAt: "看这段文字的内部",
  tint: "颜色：每个字对模型来说有多意外", settings: "设置", byChance: "随机",
  setting: { temperature: "温度", length: "字数", topk: "Top-k", topp: "Top-p", minp: "Min-p", stop: "遇到即停", seed: "种子" },
  written: "文字", writing: "正在写……",
  wrote: (count, speed, seed) => `${count} 个字，每秒 ${speed} 个。种子 ${seed}。`,
  why: { length: "", stop: "到了要停的地方。", document: "模型在这里结束了这段文字。" },
  failed: (why) => `这个浏览器算不了：${why}`,
  neverSaw: (characters) => `模型从没见过这些字：${characters}`,
  wasBits: (character, bits) => `“${character}”带来 ${bits} 比特的意外。这里可能是：`,
  wasFirst: (character) => `“${character}”是第一个字：模型之前什么也没读。`,

  lookLead: "每个字的颜色，是模型读完这个字时内部的一个数。点一个字，或用方向键移动。按 ? 看所有按键。",
  text: "文本", writtenText: "模型写的", typedText: "输入或粘贴……", typeHere: "你的文字", read: "读",
  member: "成员", layer: "层", unit: "单元", signal: "信号", keys: "按键", close: "关闭", textLabel: "着色的文字",
  reading: "正在读……", readSoFar: (count, all) => `正在读：${all} 个字中的 ${count} 个……`, nothingToRead: "还没有可读的文字。",
  notInAddress: "这段文字太长，放不进地址：收到地址的人看到的是另一段文字。",
  tooLong: (most) => `只读前 ${most.toLocaleString("zh")} 个字：再多内存放不下。`,
  stepTitle: "读到这个字时发生了什么", guessTitle: "模型认为接下来是什么",
  stripTitle: "这个单元在全文中", scatterTitle: "常开和常关的门",
  queryTitle: "哪些单元在这里亮？", unitsTitle: "值得看的单元",
  queryLead: "选一段文字（用鼠标，或 Shift 加方向键），再点“查找”。",
  ask: "查找", selectFirst: "请先选一段文字。",
  asked: (from, to) => `第 ${from} 到 ${to} 个字。这些单元在这里的数与前后不同。点一个，看它还在哪里如此。`,
  elsewhere: "还有这些地方（文中有下划线）：", nowhere: "文中没有别的地方。",
  onHere: (unit, inside, around) => `${unit}：这里 ${inside}，周围 ${around}`,
  unitOf: (layer, unit, member) => `${member ? `成员 ${member}，` : ""}第 ${layer} 层，单元 ${unit}`,
  now: (character, at, unit, signal, value) => `${character}（第 ${at} 个字）· ${unit} · ${signal} = ${value}`,
  theEnd: "文字到此为止。",
  cameNext: (character, bits) => `接着是“${character}”：${bits} 比特的意外。`,
  legendGate: "深蓝：0，门关着 · 黄：1，门开着", legendSigned: "红：−1 · 白：0 · 蓝：1",
  closed: "关 →", open: "↑ 开",
  scatterLabel: (gate) => `门 ${gate}：每个点是一个单元。越靠右，关着（小于 0.1）的时候越多；越靠上，开着（大于 0.9）的时候越多。左下角：多半半开。`,
  remembers: (characters) => `它的门大约在 ${characters} 个字后还留下一半的记忆。`,
  remembersLong: "它的门能把记忆留住一万个字以上。",
  noGate: "这种单元没有这样的门。",
  unitsLead: "做这一页时找到的：在第一段文本里跟着某个有名字的东西走的单元。单元由文本的前一半挑选，数出自后一半。它值多少：把这个单元固定为零，模型的预测每个字差了多少比特。接近 0 时，别的单元知道同样的事。",
  noUnits: "没有查找，或者没有找到。",
  follows: (strength, isOn, signal) => `它的${signal === "c" ? "记忆" : "输出"}在那里${isOn ? "高" : "低"}。强度 ${strength}（0：毫无关系，1：总是如此）。`,
  worth: (inside, outside) => `在那里值每字 ${inside} 比特，在别处 ${outside}。`,
  goTo: (at) => `到第 ${at} 个字`,
  stripRange: (low) => `下端是 ${low}，上端是 1。`,
  properties: {
    "in-quotes": "引号里", "in-brackets": "括号里", "in-tag": "标签 <…> 里", "in-titles": "书名号《…》里", "in-corners": "直角引号「…」里",
    "line-end": "换行之后", "line-first": "一行的第一个字", "line-start": "一行的开头", "line-tail": "长行的后部", indentation: "缩进", "in-word": "单词内部",
    "upper-case": "大写字母", digit: "数字", punctuation: "标点之后", "verse-last": "一句的最后一个字",
    ...verses((number) => `一句的第 ${number} 个字`),
  },
  meaning: {
    i: "输入门：写入多少新的", f: "遗忘门：保留多少旧的", g: "候选：新的内容", o: "输出门：显示多少",
    c: "记忆", "c-": "之前的记忆", t: "记忆，压到 −1 与 1 之间", h: "输出", "h-": "之前的输出",
    r: "重置门：新的有多少来自旧的", z: "更新门：保留多少旧的", n: "候选：新的内容",
    d: "深度门：从下层来多少", "c'": "下层的记忆", "1-f": "写入多少新的", "1-z": "换成多少新的",
    q1: "第一轮：h 怎样改输入", q2: "第二轮：输入怎样改 h", q3: "第三轮", q4: "第四轮",
  },
  formula: {
    lstm: "记忆：留下一部分旧的，加上一部分新的。输出：显示记忆的一部分。（⊙ 是相乘；c₋ 是前一个字的 c。）",
    gru: "旧的输出留下一部分，其余换成新的：n = tanh(W x + r ⊙ (R h₋ + b′) + b)。（⊙ 是相乘；h₋ 是前一个字的 h。）",
    "gru-reset-before": "旧的输出留下一部分，其余换成新的：n = tanh(W x + R (r ⊙ h₋) + b)。（⊙ 是相乘；h₋ 是前一个字的 h。）",
    rnn: "h = tanh(W x + R h₋ + b)：旧的全部再过一遍权重。",
    clockwork: "一个单元每 1、2、4……个字变一次；其余时候不变。",
  },
  keyList: [["← →", "前一个字，后一个字"], ["Shift ← →", "选一段"], ["Enter", "查找哪些单元在那里亮"], ["↑ ↓", "换单元"],
    ["Page ↑ ↓", "换层"], ["i f g o c t h …", "这个名字的信号（t：tanh c）"], ["Home End", "文字的两端"], ["?", "这些按键"]],
  learnedLead: "模型是怎样训练出来的：每次报告时它会写什么，它由什么组成。把鼠标移到曲线上，或按 Tab 再按方向键，可以看每次报告的数字。",
  learned: {
    nothing: "这一页只由模型做成，不知道它是怎样训练的。",
    details: "关于这次训练的更多内容",
    chart: {
      bits: "每字比特数（越低越好）", rate: "学习率", speed: "每秒字数", norm: "梯度范数（裁剪之前）",
    },
    logarithmic: "（对数刻度）", axis: "曲线的横轴", over: { step: "步数", time: "分钟" },
    heldOut: "验证：不用来学习的文本", validation: "验证", training: "训练", ring: "○ 最好的验证结果",
    step: "步数", at: (step) => `第 ${step} 步`, epoch: "轮数", time: "用时", rate: "学习率", speed: "速度", norm: "梯度范数",
    minutes: (minutes) => `${minutes} 分钟`, bits: (bits) => `${bits} 比特`, aSecond: (count) => `每秒 ${count} 字`,
    sample: "这次报告时它写的", noSample: "这次报告没有留下样本。",
    goesOn: (step, steps, time, minutes) => `${time && `${time} 时，`}训练进行到第 ${step} 步，共 ${steps} 步${minutes ? `，大约还要 ${minutes} 分钟` : ""}。刷新页面可以看到新的进展。训练结束时，模型也会放进这一页。`,
    withoutModel: "这一页只有学习过程，没有模型本身。",
    noReports: "这次训练还没有报告，或者做这一页时找不到它的 metrics.jsonl。",
    lacks: (fields) => `没有记录：${fields.join("、")}。`,
    lacking: { sample: "样本（报告由较早的版本写成）", grad_norm: "梯度范数（报告由较早的版本写成）", val_bits_per_char: "验证（没有留出验证文本）" },
    samplesTitle: "一路上它写的", samplesLead: "从第一次报告到最后一次的部分样本；其余的可以把鼠标移到曲线上看。",
    runsTitle: "各次训练", runColumns: ["训练", "最好的验证（比特）", "分钟", "步数", "参数", "单元类型", "层数 × 单元数"],
    layersTitle: "各层", layerColumns: ["层", "输出形状", "参数"], total: "合计", members: (count) => `${count} 个这样的模型合计，预测取平均`,
    layersLead: "形状依次是：并排读的文本数、一步的字数、每个字的数值个数。",
    settingsTitle: "设置", settingColumns: ["设置", "值"], chosen: "自动选定：", reason: chineseReason,
    settingsChosen: "标出的设置是根据文本和时间自动选定的；其余的是命令里给的，或是默认值。",
    settingsGiven: "都是命令里给的，或是默认值；没有根据文本和时间自动选定的。",
    yesOrNo: (value) => (value ? "是" : "否"),
    originTitle: "文本、机器和版本", standardLibrary: "Python 标准库", characters: (count) => `${count} 个字`, everySteps: (count) => `每 ${count} 步一次`,
    origin: { text: "文本", documents: "分篇", from: "起点", began: "开始于", machine: "机器", processor: "处理器", versions: "版本", reports: "报告" },
    noMachine: "没有记录机器和版本（由较早的版本开始）。",
    commandsTitle: "命令", typed: "开始训练的命令：", commands: { sample: "让它写：", resume: "接着训练（已经训练完的，要给更多的 --steps、--epochs 或 --minutes）：" },
  },
};

/** The reasons for chosen settings, which a run records in English: see charlstm/training/plan.py. */
const REASONS = [
  [/^what is special in this cell is between two layers$/, "这种单元的特别之处在两层之间"],
  [/^one wide layer learns faster than several narrow ones$/, "一个宽的层比几个窄的层学得快"],
  [/^units: as many as such a text feeds in the time$/, "单元数：这样的文本在这段时间里能喂饱多少就用多少"],
  [/^there is time to read the text (\S+) times, better shared by several models$/, "时间够把文本读 $1 遍，分给几个模型更好"],
  [/^there is time to read the text (\S+) times$/, "时间够把文本读 $1 遍"],
  [/^the more often a model reads the text, the more, lest it learn it by heart$/, "读的遍数越多就用得越多，免得把文本背下来"],
  [/^a text read so seldom isn't learned by heart$/, "读的遍数少，不会把文本背下来"],
  [/^to look further back takes time, and gains little$/, "往回看得更远费时间，收获却很小"],
  [/^as many as the text has room for$/, "文本只放得下这么多"],
  [/^as many as fit into memory$/, "内存只放得下这么多"],
  [/^the more time, the more: they are read faster, but teach less$/, "时间越多就用得越多：读得快，但每个字教得少"],
  [/^the more steps, the smaller, and there will be about (\S+)$/, "步数越多就越小，这次大约有 $1 步"],
];

/** A reason in Chinese or, when it is another, as it was recorded. */
function chineseReason(reason) {
  const [found, told] = REASONS.find(([pattern]) => pattern.test(reason)) ?? [null, reason];
  return found ? reason.replace(found, told) : told;
}
