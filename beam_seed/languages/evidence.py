"""Patterns that give a language away, each shared by several extensions of ``heuristics.py``.

Each constant is a tuple of alternatives in multi-line mode; a leading '(?i)' holds for that alternative only. No pattern nests two
unbounded repetitions over the same characters: the text comes from strangers, and a search must stay linear in it.
"""

OBJECTIVE_C = (
    r"^[ \t]*#[ \t]*import[ \t]+[<\"][^>\"\n]+\.h[>\"]",
    r"^[ \t]*@(?:end|synthesize|optional|required)\b[^,\n]*$",
    r"^[ \t]*@(?:import[ \t]+\w|implementation[ \t]+\w|class[ \t]+[\w, \t]+;|interface[ \t]+\w+[ \t]*[:(<]|property[ \t]*\()",
    r"^[ \t]*@protocol[ \t]+\w+[ \t]*[<;]",
    r"^(?:FOUNDATION_EXPORT|NS_ASSUME_NONNULL_BEGIN|typedef[ \t]+NS_(?:ENUM|OPTIONS))\b",
)
CPP = (
    r"^[ \t]*#[ \t]*include[ \t]*<\w+(?:/\w+)*>",  # C's headers all end in '.h'
    r"^[ \t]*#[ \t]*include[ \t]*[<\"][^>\"\n]+\.(?:hpp|hh|hxx|ipp)[>\"]",
    r"^[ \t]*template[ \t]*<",
    r"^[ \t]*(?:inline[ \t]+)?namespace[ \t]+[\w:]+\s*(?:\{|=)",
    r"^[ \t]*namespace[ \t]*\{",
    r"^[ \t]*using[ \t]+(?:namespace[ \t]+\w|\w+[ \t]*=|\w+(?:::\w+)+[ \t]*;)",
    r"^[ \t]*(?:enum[ \t]+)?(?:class|struct)[ \t]+(?:[\w()]+[ \t]+)*\w+(?:[ \t]+final)?[ \t]*:[ \t]*\w",
    r"^[ \t]*(?:enum[ \t]+)?class[ \t]+(?:[\w()]+[ \t]+)*\w+(?:<[^>\n]*>)?\s*[{;]",
    r"^[ \t]*(?:public|private|protected)(?:[ \t]+(?:Q_)?\w+)?[ \t]*:(?!:)",
    r"^[ \t]*(?:virtual|explicit|friend|constexpr|typename|mutable)[ \t]+[\w:~]",
)
CPP_INSIDE = (  # anywhere in a line, but not behind a comment mark or in a string
    r"^[^/*\n\"]*\bstd::\w",
    r"^[^/*\n\"]*\b\w+::~?\w+[ \t]*\(",
    r"^[^/*\n\"]*\boperator[ \t]*(?:[-+*/%^&|~!=<>]{1,2}|\(\)|\[\]|new|delete)[ \t]*\(",
    r"^[^/*\n\"]*\b(?:static|reinterpret|dynamic|const)_cast[ \t]*<",
)
GLSL = (
    r"^[ \t]*#[ \t]*version[ \t]+\d+",
    r"^[ \t]*precision[ \t]+(?:low|medium|high)p\b",
    r"^[ \t]*(?:flat[ \t]+|smooth[ \t]+)?(?:uniform|varying|attribute|in|out|const)[ \t]+(?:\w+[ \t]+)?(?:[biu]?vec[234]|"
    r"mat[234]|sampler\w+)\b",
    r"^[ \t]*layout[ \t]*\(",
    r"^[ \t]*(?:[biu]?vec[234]|mat[234])[ \t]+\w+[ \t]*\(",
    r"\bgl_(?:Position|FragColor|FragCoord|Vertex|ModelView\w*|in|FragData|TexCoord)\b",
    r"^[ \t]*(?:shared[ \t]+)?uniform[ \t]+(?:float|int|bool|\w+[ \t]*\{)",
)
PERL = (
    r"^[ \t]*use[ \t]+(?:strict|warnings|utf8|vars|lib|constant|parent|base|v?5[\d._]*|[A-Z]\w*(?:::\w+)*)\b",
    r"^[ \t]*(?:my|our|local)[ \t]*[$@%(]",
    r"^[ \t]*package[ \t]+\w+(?:::\w+)*[ \t]*(?:;|\{)",
    r"^[ \t]*require[ \t]+(?:['\"]|\w+(?:::\w+)*[ \t]*;)",
    r"^=(?:pod|head[1-4]|over|begin|cut)\b",
    r"^[ \t]*(?:[$@%][\w:]+|\$\w+(?:\[[^]\n]*\]|\{[^}\n]*\}))[ \t]*(?:=|=~|\.=|\+=)",
    r"^[ \t]*sub[ \t]+\w+[ \t]*(?:\([$@%&;\\*]*\)[ \t]*)?\s*\{",
    r"^[ \t]*(?:print|printf|die|open)\b[^\n$@\"]*[$@\"][^\n]*;[ \t\r]*$",
    r"^__(?:END|DATA)__\b",
    r"^[ \t]*['\"]?\w+['\"]?[ \t]*=>[ \t]",
)
RAKU = (
    r"^[ \t]*use[ \t]+(?:v6|MONKEY)",
    r"^[ \t]*(?:unit[ \t]+|my[ \t]+)?(?:class|role|grammar|module)[ \t]+[\w:-][^\n;{]*[{;]",
    r"^[ \t]*(?:multi|proto|method|token|regex)[ \t]+[\w:-]+[ \t]*[({]",
)
STRICT_PERL = (r"^[ \t]*use[ \t]+(?:strict|warnings|v?5[\d._]*)\b",)
PROLOG = (
    r"^[ \t]*:-[ \t]*\(?[a-z]",
    r"^[a-z]\w*(?:\([^\n]*\))?[ \t]*(?::-|-->)",
    r"^[a-z]\w*\([^\n$@;{}]*\)[ \t]*\.[ \t]*(?:%[^\n]*)?$",
)
COMMON_LISP = (
    r"(?i)^[ \t]*\((?:in-package|eval-when|declaim|asdf:\w+|def(?:un|var|parameter|macro|package|struct|method|generic|class|"
    r"type|constant|condition|test|setf|system))[ \t\r\n]",
)
OTHER_LISP = (  # AutoLISP's commands and local variables, newLISP, PicoLisp
    r"(?i)^[ \t]*\((?:defun[ \t]+c:|vl-load-com|define[ \t]+\(|context[ \t]+'|de[ \t]+\w|load[ \t]+\"@)",
    r"(?i)^[ \t]*\(defun[ \t]+\S+[ \t]*\([^()\n]*/",
    r"(?i)\(command[ \t]+\"_?\.",
)
PASCAL = (
    r"(?i)^[ \t]*(?:unit|program|library)[ \t]+[\w.]+[ \t]*(?:\([\w, \t]*\))?[ \t]*;",
    r"(?i)^[ \t]*\{\$\w+",
    r"(?i)^[ \t]*(?:class[ \t]+)?(?:procedure|function|constructor|"
    r"destructor)[ \t]+\w[\w.]*[ \t]*(?:\([^)]{0,400}\))?[ \t]*(?::[ \t]*[\w.]+[ \t]*)?;",
    r"(?i)^[ \t]*end[.;][ \t\r]*$",
)
FORTRAN = (
    r"(?i)^[ \t]*(?:\d+[ \t]+)?(?:subroutine|program|module|block[ \t]*data|implicit[ \t]+\w|common[ \t]*/|(?:recursive|pure|"
    r"elemental)[ \t])",
    r"(?i)^[ \t]+(?:\d+[ \t]+)?(?:integer|real|double[ \t]+precision|complex|logical|character|dimension|parameter|call|"
    r"continue|write|return|end)\b",
    r"(?i)^[c*!](?:[ \t]|$|[-=*c!])",
    r"^#[ \t]*(?:include|if|ifdef|define)\b",
)
SQL = (r"(?i)^[ \t]*(?:create|alter|drop|insert[ \t]+into|select|update|delete[ \t]+from|grant|begin|declare|with|comment[ \t]+on)\b",)
ASSEMBLY = (
    r"(?i)^(?:\w+:)?[ \t]+(?:mov[a-z]{0,4}|lea|xor|add|sub|ldr|str|ld)[ \t]+(?:[%$#]?\w{1,5}|\[[^\]\n]*\]|"
    r"[a-z]+[ \t]+(?:ptr[ \t]+)?\[[^\]\n]*\])[ \t]*,",
    r"(?i)^(?:\w+:)?[ \t]+(?:push|pop|jmp|call|bl|jsr|lda|sta)[ \t]+[%$#]?\w+[ \t\r]*(?:$|;)",
    r"(?i)^[ \t]*(?:(?:section|segment)[ \t]+\.\w+|\.(?:text|data|globl|global|macro|section|equ|byte|word|align)|%(?:macro|"
    r"define|include|ifdef))\b",
    r"(?i)^\w+:?[ \t]+(?:equ|db|dw|dd|macro|proc)\b",
)
C_LIKE = (r"^[ \t]*#[ \t]*(?:include[ \t]*[<\"]|define[ \t]+\w|ifn?def[ \t]+\w|pragma[ \t]+\w|endif)",)
TREE_QUERY = (
    r"^[^;\n]*[)\]\"][*+?]?[ \t]+@[\w.]+[ \t)\r]*$",
    r"\(#[\w-]+[!?][ \t]",
)
XML = (r"\A\W{0,3}<(?:\?xml|!DOCTYPE|[a-zA-Z]+[ >])",)

VERILOG = (
    r"^[ \t]*(?:endmodule|endtask|endfunction|always|initial|assign|specify|primitive|parameter|localparam)\b",
    r"^[ \t]*`(?:define|timescale|include|ifdef|ifndef|default_nettype|celldefine|undef)\b",
    r"^[ \t]*(?:module|macromodule)[ \t]+\\?\w+\s*(?:#\s*\(|\(|;)",
    r"^[ \t]*(?:input|output|inout|wire|reg)[ \t]+(?:\[|\w+[ \t]*[,;=])",
)
COQ = (
    r"^[ \t]*(?:From[ \t]+[\w.]+[ \t]+)?Require[ \t]+(?:Import|Export)\b",
    r"^[ \t]*(?:Proof|Qed|Defined)\b[^\n]*\.",
    r"^[ \t]*(?:Lemma|Theorem|Definition|Inductive|Fixpoint|Notation)[ \t]+[\w\"][^\n]*:",
)
STANDARD_ML = (
    r"^[ \t]*(?:(?:structure|signature|functor)[ \t]+\w|datatype[ \t]|fun[ \t]+[\w(']|val[ \t]+\w+[ \t]*=[ \t]*fn\b|infixr?[ \t])",
)
