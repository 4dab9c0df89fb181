"""What an element's names say of it: navigation and other furniture, line numbers and buttons beside code, code without ``<pre>``.

Names are the words of class and id. Furniture is a matter of names only as long as nothing contradicts: see ``extract.py`` for what keeps
an element in spite of its name (code, a main heading).
"""

from __future__ import annotations

import re


def _words(*patterns: str) -> re.Pattern[str]:
    """Matches a name of which one of ``patterns`` is a whole part, between the parts' separators."""
    return re.compile(rf"(?:^|[\s_-])(?:{'|'.join(patterns)})(?:$|[\s_-])", re.IGNORECASE)


_FURNITURE = _words(
    # ways through the site
    r"nav(?:bar|igation|box|list|menu|links?)?|navigational|breadcrumbs?|crumbs?|menu(?:s|bar)?|sub-?menu|side-?(?:bar|nav|menu)|toc|sphinxsidebar",
    r"table-?of-?contents|pagination|pager|paginator|paging|prev-?next|next-?prev|skip-?(?:link|nav|to-content)|quick-?links|link-?list|site-?map",
    r"search(?:box|bar|form|field)?|search-?results-?header|topbar|top-?bar|masthead|tabs-?nav|tab-?list|drop-?down(?:-menu)?|back-?to-?top|version-?(?:switcher|selector)",
    # other pages
    r"related|related-?(?:posts?|articles?|links?|questions?|content)|recommend(?:ed|ations?|-?box)?|popular|trending|more-?(?:posts|articles|stories)",
    r"hot-?network-?questions|read-?(?:more|next)|see-?also-?links|archives?|tag-?cloud|tag-?list|post-?tags|blogroll|webring",
    # asking for something
    r"cookies?|cookie-?(?:banner|consent|notice|bar)|consent|gdpr|ccpa|newsletter|subscribe|subscription|sign-?up|sign-?in|log-?in|login-?form|register",
    r"share|sharing|share-?(?:buttons?|bar|links?)|social|social-?(?:links?|icons?|media|share)|follow-?us|likes?-?box|feedback|rating|was-?this-?helpful",
    r"donate|donation|advert(?:s|isement|isements|ising)?|ads?|adsense|ad-?(?:slot|unit|box|container|wrapper)|sponsors?|sponsored|promo(?:tion|ted)?|banner",
    # about the page
    r"footer|site-?footer|page-?footer|foot|copyright|colophon|legal|disclaimer|powered-?by|edit-?(?:this-?page|page|link)|page-?actions",
    r"post-?meta|entry-?meta|article-?meta|meta-?data|by-?line|author-?(?:box|bio|card|info)|user-?(?:info|card|menu|profile|details)|post-?profile|postprofile",
    r"post-?(?:menu|signature|buttons)|vote-?(?:cell|buttons?)|js-vote-count|js-voting-container|comment-?form|comments-?link|respond|reply-?form",
    # over the page
    r"modal|popup|pop-?up|overlay|lightbox|tooltip|toolbar|toast|print-?only|sr-only|visually-?hidden|screen-?reader(?:-text)?",
)
# "has-sidebar" and "page-with-toc" are said of the content beside them, an admonition's class may hold any word.
_CONTENT = re.compile(
    r"(?:has|with|no|without|show|hide|is|above|below)-?(?:side|toc|nav|menu|footer|banner)|admonition|callout|markdown-body|\bprose\b"
    r"|(?:post|article|entry|main|page|doc)s?[_-]?(?:content|body|text)\b|topic-body|post-?text|js-post-body",
    re.IGNORECASE,
)
# Documentation tools put the slug of a heading on the section below it: a section about search is no search box.
_SECTION = re.compile(r"(?:^|\s)(?:section|sect\d|level\d)(?:$|\s)", re.IGNORECASE)
_FURNITURE_ROLES = frozenset(
    [
        "alert",
        "alertdialog",
        "banner",
        "complementary",
        "contentinfo",
        "dialog",
        "directory",
        "menu",
        "menubar",
        "navigation",
        "search",
        "tablist",
        "toolbar",
        "tooltip",
    ]
)
_HIDING_STYLE = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)

_MARKS_OF_A_HEADING = _words(
    r"header-?link|heading-?link|hash-?link|anchor(?:js)?-?(?:link|heading|icon)?|perma-?link|direct-?link|header-?anchor|heading-?anchor|doc-?anchor",
    r"viewcode-?(?:link|back|block)|src-?link|srclink|mw-editsection|edit-?section|section-?link|octicon-link|copy-?(?:link|path|button|btn)|clipboard",
)

# Whole names: highlighters mark numbers, titles and copies in the code itself with names that begin or end alike.
_LINE_NUMBERS = re.compile(
    r"(?:^|\s)(?:linenos?|linenodiv|line-?nos?|[\w-]*line-?num(?:s|bers?)?(?:-rows|-wrapper)?|lnums?|lnt|ln|gl|blob-num|pre-?numbering"
    r"|crayon-nums?(?:-content)?|hljs-ln-(?:n|numbers)|codemirror-gutter[\w-]*|cm-gutters?|ace_gutter[\w-]*|margin-view-overlays"
    r"|(?:[\w-]*-)?gutter|react-line-number|listing_lines)(?:$|\s)",
    re.IGNORECASE,
)
_BESIDE_CODE = re.compile(
    r"(?:^|\s)(?:copy[\w-]*|[\w-]*-copy|copybtn|clipboard[\w-]*|zeroclipboard[\w-]*|btn|button|toolbar(?:-item)?|hljs-button|ttc"
    r"|(?:code-?)?lang(?:uage)?-?(?:label|name)|code-?block-?(?:header|extension-header|toolbar)|sr-only|visually-?hidden|tooltip|popover"
    r"|hover-info|twoslash-popup[\w-]*|line-highlight|fold-?(?:button|icon))(?:$|\s)",
    re.IGNORECASE,
)
_NO_SELECTION = re.compile(r"user-select\s*:\s*none|display\s*:\s*none", re.IGNORECASE)

_CODE_LINE = re.compile(
    r"(?:^|\s)(?:line|code-?line|token-line|view-line|cm-line|codemirror-line|crayon-line|highlight-line|js-file-line|blob-code-inner|ec-line"
    r"|react-code-line-contents|codeline|row-?line|code-row)(?:$|\s)",
    re.IGNORECASE,
)
_BLOCK_STYLE = re.compile(r"display\s*:\s*(?:block|flex|grid|table-row)", re.IGNORECASE)

_CODE_WITHOUT_PRE = re.compile(
    r"(?:^|\s)(?:syntaxhighlighter|dp-highlighter|dp-[a-z]+|fragment|codemirror-code|cm-content|ace_text-layer|view-lines|crayon-pre|js-file-line-container"
    r"|blob-wrapper|codecontent|bbcode_code|codebox|code-?snippet|codeblock|code-?block|react-code-lines)(?:$|\s)",
    re.IGNORECASE,
)
_PREFORMATTED = re.compile(r"white-space\s*:\s*pre\b", re.IGNORECASE)
_MONOSPACE = re.compile(r"font-family\s*:[^;]*(?:mono|courier|consolas|menlo)", re.IGNORECASE)
_SOURCE_FIELD = re.compile(r"code|source|snippet|script|brush|highlight|editor|example|lang", re.IGNORECASE)


def is_furniture(name: str, attributes: dict[str, str]) -> bool:
    """Whether a block element is page furniture by its names, its ARIA role, or because it is hidden."""
    if "hidden" in attributes or attributes.get("aria-hidden") == "true" or _HIDING_STYLE.search(attributes.get("style", "")):
        return True
    if attributes.get("role") in _FURNITURE_ROLES:
        return True
    names = attributes.get("class", "")
    if "id" in attributes and name != "section" and not _SECTION.search(names):
        names = f"{names} {attributes['id']}"
    return bool(_FURNITURE.search(names) and not _CONTENT.search(names))


def is_mark(attributes: dict[str, str]) -> bool:
    """Whether an inline element is a permalink sign, an edit or source link, or hidden from readers."""
    if "hidden" in attributes or attributes.get("aria-hidden") == "true":
        return True
    names = attributes.get("class", "")
    return bool(_MARKS_OF_A_HEADING.search(names)) or "sr-only" in names or "visually-hidden" in names


def is_line_number(attributes: dict[str, str]) -> bool:
    """Whether an element holds the numbers of the lines beside it, or says that it has some."""
    return _LINE_NUMBERS.search(attributes.get("class", "")) is not None


def is_beside_code(attributes: dict[str, str]) -> bool:
    """Whether an element inside code is no part of it: a line number, a button, what a reader cannot select.

    A prompt that stands in the text (``>>>``, ``$``, Pygments' ``gp``) is part of it: the language of such a block is a session's. A
    prompt that cannot be selected is decoration.
    """
    if attributes.get("aria-hidden") == "true" or "unselectable" in attributes or _NO_SELECTION.search(attributes.get("style", "")):
        return True
    return is_line_number(attributes) or _BESIDE_CODE.search(attributes.get("class", "")) is not None


def is_code_line(attributes: dict[str, str]) -> bool:
    """Whether an inline element inside code is one line of it."""
    if "data-line" in attributes or _CODE_LINE.search(attributes.get("class", "")):
        return True
    return _BLOCK_STYLE.search(attributes.get("style", "")) is not None


def is_code_without_pre(attributes: dict[str, str]) -> bool:
    """Whether an element other than ``<pre>`` shows code line by line."""
    if _CODE_WITHOUT_PRE.search(attributes.get("class", "")):
        return True
    return is_preformatted(attributes) and _MONOSPACE.search(attributes["style"]) is not None


def is_preformatted(attributes: dict[str, str]) -> bool:
    """Whether the element's own style keeps line ends."""
    return _PREFORMATTED.search(attributes.get("style", "")) is not None


def is_source_field(attributes: dict[str, str]) -> bool:
    """Whether a ``<textarea>`` shows code rather than waits for an answer."""
    told = " ".join(attributes.get(each, "") for each in ("class", "id", "name", "data-lang"))
    return "readonly" in attributes or _SOURCE_FIELD.search(told) is not None
