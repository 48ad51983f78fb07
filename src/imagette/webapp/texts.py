"""Everything the page says, in English and in French."""

from dataclasses import dataclass

from imagette import wording
from imagette.wording import Language

_NARROW = "\u202f"  # the space that French sets inside quotation marks; it does not break


@dataclass(frozen=True)
class Texts:
    """The page's texts in one language; braces are filled in by the page."""

    # All pages.
    other_language: str
    page_look: str
    page_model: str
    page_data: str
    pages: str
    retry: str
    api_down_help: str
    # Looking at pictures: choosing.
    introduction: str
    knows: str
    choose: str
    drop_here: str
    browse: str
    camera: str
    camera_close: str
    camera_take: str
    camera_allow: str
    camera_forbidden: str
    camera_refused: str
    photo: str
    try_sample: str
    gallery: str
    gallery_class: str
    gallery_note: str
    example: str
    # Looking at pictures: the answer.
    looking: str
    your_picture: str
    what_decided: str
    what_decided_help: str
    opacity: str
    network_sees: str
    network_sees_help: str
    how_probable: str
    how_probable_unknown: str
    other_classes: str
    familiarity: str
    familiarity_known: str
    familiarity_unknown: str
    familiarity_value: str
    surely: str
    probably: str
    perhaps: str
    unsure: str
    none_of_these: str
    closest: str
    none_short: str
    more_than: str
    # Looking at pictures: this session.
    history: str
    history_help: str
    download: str
    forget: str
    privacy: str
    # The model.
    model_title: str
    dataset: str
    test_accuracy: str
    validation_accuracy: str
    left_out_accuracy: str
    interval: str
    chance: str
    network: str
    no_evaluation: str
    confusion: str
    confusion_help: str
    confusion_corner: str
    mistakes: str
    mistake: str
    no_mistakes: str
    reliability: str
    reliability_help: str
    calibration: str
    brier: str
    how_sure: str
    how_right: str
    pictures: str
    reliability_alt: str
    per_class: str
    per_class_help: str
    class_name: str
    recall: str
    precision: str
    f1: str
    curves: str
    curves_help: str
    curves_alt: str
    epoch: str
    accuracy: str
    loss: str
    learning: str
    set_aside: str
    as_table: str
    limits: str
    limit_classes: str
    limit_unknown: str
    limit_no_unknown: str
    limit_size: str
    limit_wrong: str
    # The data.
    data_title: str
    data_facts: str
    counts: str
    to_learn: str
    to_test: str
    total: str
    examples: str
    examples_help: str
    ask_about: str
    no_data: str
    no_data_help: str
    unnamed_dataset: str
    # Teaching: naming the classes.
    page_teach: str
    teach_title: str
    teach_introduction: str
    teach_name_step: str
    teach_name: str
    teach_examples: str
    teach_add_class: str
    teach_begin: str
    teach_names_missing: str
    teach_rename: str
    # Teaching: the pictures.
    teach_pictures_step: str
    teach_pictures_help: str
    teach_count: str
    teach_camera: str
    teach_add_from_camera: str
    teach_camera_help: str
    teach_drop_here: str
    teach_sending: str
    teach_refused: str
    teach_take_away: str
    teach_take_away_help: str
    teach_show_all: str
    teach_drop_waiting: str
    # Teaching: what comes of them.
    teach_no_model: str
    teach_single: str
    teach_right: str
    teach_interval: str
    teach_unknown: str
    teach_few: str
    teach_try: str
    teach_try_help: str
    teach_why: str
    teach_download: str
    teach_download_help: str
    teach_address: str
    teach_privacy: str
    teach_forget: str
    teach_forget_sure: str
    teach_forget_yes: str
    teach_anew: str
    # What went wrong, by the short name of the problem.
    problems: dict[str, str]
    other_problem: str
    left_out: str


ENGLISH = Texts(
    # All pages.
    other_language="Français",
    page_look="Look at pictures",
    page_model="The model",
    page_data="What it learned from",
    pages="Pages",
    retry="Try again",
    api_down_help=(
        "The page is here, but the Imagette API at `{url}` is not. If this is your computer, start"
        " it with `imagette serve` (or start both with `imagette demo`), then try again."
    ),
    # Looking at pictures: choosing.
    introduction="Show me a picture and I will tell you what I see in it.",
    knows="I know {count} things: {names}.",
    choose="Choose pictures",
    drop_here="Drop pictures here",
    browse="Choose files",
    camera="Take a photo",
    camera_close="Close the camera",
    camera_take="Take the photo",
    camera_allow=(
        "Your browser asks whether this page may use the camera: say yes. If it does not ask, allow"
        " it in the settings beside the address."
    ),
    camera_forbidden=(
        "Browsers lend the camera only to pages that come from your own computer or over https, and"
        " this one does not. On a phone or a tablet, “Choose files” can take a photo too."
    ),
    camera_refused=(
        "The camera cannot be used: there is none, or this page may not use it. Allow it in the"
        " settings beside the address."
    ),
    photo="photo {number}",
    try_sample="No picture at hand? Try one of these:",
    gallery="More examples: real photographs, as tiny as those it learned from",
    gallery_class="Examples of which class?",
    gallery_note="The network has never learned from these: they are from the test pictures.",
    example="{name}, example {number}",
    # Looking at pictures: the answer.
    looking="I am looking at it…",
    your_picture="Your picture",
    what_decided="Your picture, and what decided",
    what_decided_help="The warmer the colour, the more that place spoke for “{name}”.",
    opacity="Colours",
    network_sees="What the network sees",
    network_sees_help="It brings every picture to {width}\u00a0×\u00a0{height} dots.",
    how_probable="How probable it finds each answer",
    how_probable_unknown="How probable each would be, if it had to be one of them",
    other_classes="{count} other classes",
    familiarity="How familiar this looks to me",
    familiarity_known="It is right of the mark: I have seen pictures like this while I learned.",
    familiarity_unknown=(
        "It is left of the mark: I have hardly seen anything like it while I learned, so do not"
        " rely on my answer."
    ),
    familiarity_value="{value} out of 100; the mark is at {threshold}",
    surely="It is {first}, I am almost certain ({confidence} sure).",
    probably="I think it is {first} ({confidence} sure).",
    perhaps="It may be {first} ({confidence} sure), or else {second}.",
    unsure="I do not really know. Perhaps {first}, but I am only {confidence} sure.",
    none_of_these="I do not think this is any of the things I know.",
    closest="What it reminds me of most: {first}, then {second}.",
    none_short="none of these",
    more_than="more than",
    # Looking at pictures: this session.
    history="What you have shown me",
    history_help="Choose a picture to see its answer again.",
    download="Download as a table (CSV)",
    forget="Forget everything",
    privacy=(
        "Your pictures are looked at, then forgotten: only this page keeps what it shows you, until"
        " you close it."
    ),
    # The model.
    model_title="How good the model is",
    dataset="It learned from the pictures of {dataset}.",
    test_accuracy="On test pictures that it had never seen, it is right {accuracy} of the time.",
    validation_accuracy=(
        "On pictures set aside while it learned, it is right {accuracy} of the time."
    ),
    left_out_accuracy=(
        "Asked about each of its pictures as if it had never seen that one, it is right {accuracy}"
        " of the time."
    ),
    interval=(
        "That was measured on {count} pictures; with others of the same kind, it would be between"
        " {low} and {high} (95% confidence)."
    ),
    chance="Guessing would be right {chance} of the time.",
    network="It is a neural network, {model}, of {parameters} numbers.",
    no_evaluation=(
        "The file of this model does not say more about how good it is: it was made by an older"
        " Imagette. Train or export it again, and its curves, its mistakes and its reliability will"
        " be shown here."
    ),
    confusion="What it takes for what",
    confusion_help=(
        "Each row is what the pictures really show, each column is what the model said, and each"
        " cell is a number of pictures. The blue diagonal is where it is right."
    ),
    confusion_corner="really ↓ said →",
    mistakes="Its most frequent mistakes",
    mistake="{truth} taken for {said}: {count} of {total}",
    no_mistakes="It made none.",
    reliability="Can its percentages be believed?",
    reliability_help=(
        "When it says “80% sure”, is it right 80 times out of 100? Dots on the dashed line mean"
        " yes; below it, the model is too sure of itself; above it, too modest. Larger dots stand"
        " for more pictures."
    ),
    calibration=(
        "On average, what it says is {error} away from how often it is right (expected calibration"
        " error)."
    ),
    brier="Its Brier score is {brier} (0 is perfect).",
    how_sure="How sure it says it is",
    how_right="How often it is right",
    pictures="Pictures",
    reliability_alt=(
        "Chart of how often the model is right against how sure it says it is; the same numbers are"
        " in the table below."
    ),
    per_class="Class by class",
    per_class_help=(
        "Found: of the pictures of a class, how many it recognised (recall). Right: of the pictures"
        " it called so, how many were (precision)."
    ),
    class_name="Class",
    recall="ImageRef",
    precision="Right",
    f1="F1 score",
    curves="How it learned",
    curves_help=(
        "It looked at all its pictures {epochs} times (epochs). The pictures set aside show whether"
        " it learns for good, or only by heart. Pictures that are altered at random while it learns"
        " are harder, so that line may be the lower one."
    ),
    curves_alt="Chart of {quantity} by epoch; the same numbers are in the table below.",
    epoch="Epoch",
    accuracy="Accuracy",
    loss="Loss",
    learning="pictures it learns from",
    set_aside="pictures set aside",
    as_table="The numbers, as a table",
    limits="What it cannot do",
    limit_classes="It only knows {count} things: {names}. It has no word for anything else.",
    limit_unknown=(
        "It tries to notice pictures of other things, by how familiar they look, but it can miss"
        " them, and then it answers with one of its {count} words. It can also fail to recognise a"
        " thing that it knows."
    ),
    limit_no_unknown=(
        "It cannot notice pictures of other things: shown anything else, it still answers with one"
        " of its {count} words."
    ),
    limit_size=(
        "It sees {width}\u00a0×\u00a0{height} dots: what is small in a large picture is lost to it."
    ),
    limit_wrong=(
        "It can be wrong, even when it is sure. Never let it decide something that matters."
    ),
    # The data.
    data_title="The pictures it learned from",
    data_facts=(
        "{dataset}: {total} small pictures of {count} classes, {width}\u00a0×\u00a0{height} dots"
        " each. {train} are there to learn from; {test} are kept apart to test what was learned."
    ),
    counts="How many of each",
    to_learn="To learn",
    to_test="To test",
    total="All",
    examples="What they look like",
    examples_help="Ten test pictures of each class at most.",
    ask_about="Ask about one of these",
    no_data=(
        "The pictures themselves are not at hand on this server, so they cannot be shown. This is"
        " what the model itself says of them."
    ),
    no_data_help=(
        "To show them, put CIFAR-10’s folder `cifar-10-batches-py` on the machine where the API"
        " runs, then start it with `IMAGETTE_CIFAR10_DIR=/path/to/cifar-10-batches-py imagette"
        " serve --ui`."
    ),
    unnamed_dataset="The model does not say which pictures it learned from.",
    # Teaching: naming the classes.
    page_teach="Teach it",
    teach_title="Teach me something",
    teach_introduction=(
        "Show me pictures of two things or more, and I will learn to tell them apart."
    ),
    teach_name_step="1. What shall I tell apart?",
    teach_name="Name number {number}",
    teach_examples="My mug, My cup, My glass",
    teach_add_class="Add a name",
    teach_begin="Now the pictures",
    teach_names_missing="Write at least two names first.",
    teach_rename="Change the names",
    # Teaching: the pictures.
    teach_pictures_step="2. Show me pictures of each",
    teach_pictures_help=(
        "I learn from each at once. The more different they are, the better: close and far, in"
        " front of other backgrounds, turned around."
    ),
    teach_count="Pictures: {count}",
    teach_camera="Open the camera",
    teach_add_from_camera="+ {name}",
    teach_camera_help=(
        "Press a name to take a picture of it; keep it pressed to take several, and move it a"
        " little meanwhile."
    ),
    teach_drop_here="{name}: drop pictures here",
    teach_sending="Saving them…",
    teach_refused="Left out: {count}. {reason}",
    teach_take_away="{name}, picture {number}: take it away",
    teach_take_away_help="A wrong one among them? Click on it to take it away.",
    teach_show_all="Show all {count}",
    teach_drop_waiting="Discard the pictures that wait",
    # Teaching: what comes of them.
    teach_no_model="As soon as two things have a picture, I can answer.",
    teach_single=(
        "I answer already: try me below. As soon as each has two pictures, I can tell how good I"
        " am."
    ),
    teach_right=(
        "I recognise {right} of your {count} pictures when I look at each as if I had never seen"
        " it."
    ),
    teach_interval="Of many others like them, I would get between {low} and {high} right.",
    teach_unknown="I have no picture yet of: {names}.",
    teach_few=(
        "That is still little: with {count} pictures or more of each I get better, and can say more"
        " surely how good I am."
    ),
    teach_try="3. Try me",
    teach_try_help=(
        "Show me a picture that I have not seen yet, or hold something in front of the camera. When"
        " the pictures above change, I answer anew."
    ),
    teach_why="Show what decided",
    teach_download="Download what I learned",
    teach_download_help=(
        "One file that holds it all. `imagette serve --ui --model imagette-lesson.onnx` makes a"
        " page of it."
    ),
    teach_address=(
        "The address of this page leads back here, also from another device. Whoever has it can"
        " see and change everything here, so give it only to those who may."
    ),
    teach_privacy=(
        "Your pictures stay on this page’s server, small and without what the camera wrote into"
        " them, until you forget them or nobody has come back for {hours} hours. What the open"
        " camera sees, or you try me on, is looked at and not kept there."
    ),
    teach_forget="Forget all of this",
    teach_forget_sure="The names, the pictures and what I learned of them will be gone.",
    teach_forget_yes="Yes, forget it",
    teach_anew="Begin anew",
    # What went wrong.
    problems={
        "api-down": (
            "I cannot think right now: the part of me that looks at pictures does not answer."
        ),
        "unreadable-picture": (
            "I cannot read this file as a picture. It may be damaged, or not be a picture at all."
            " Try a PNG or JPEG file."
        ),
        "empty-picture": "This file is empty. Choose another one.",
        "no-picture": "This file is empty. Choose another one.",
        "picture-too-large": (
            "This picture has too many pixels for me. Make it smaller, then try again."
        ),
        "request-too-large": "This file is too heavy for me. Make it smaller, then try again.",
        "too-many-requests": (
            "Too many pictures at once: I need a break. Wait a minute, then try again."
        ),
        "out-of-time": "This takes too long: I may have too much to do. Try again in a moment.",
        "not-ready": "I am not ready yet. Try again in a moment.",
        "unauthorized": (
            "I am not allowed to answer: the API wants a key that this page does not have. Whoever"
            " runs the page gives it one in the environment variable IMAGETTE_API_KEY."
        ),
        "wrong-classes": (
            "I cannot use these names. Give each its own, of at most 40 letters, digits, spaces or"
            " emoji, and begin with a letter or digit."
        ),
        "same-picture": "I have this picture already.",
        "lesson-full": "I cannot keep more pictures than these. Take some away first.",
        "not-learned": "I need pictures of at least two of them first.",
        "too-many-lessons": (
            "I am learning from as many people as I can already. Try again a little later."
        ),
        "no-room": "My disk is full. Tell whoever runs this page.",
        "no-lesson": (
            "I know nothing of this any more: it was deleted, or nobody came back for too long."
        ),
    },
    left_out=(
        "These are many pictures: I look at the first {kept}. Choose the rest ({count}) afterwards."
    ),
    other_problem="Something went wrong while I looked at this picture. Try again in a moment.",
)

FRENCH = Texts(
    # All pages.
    other_language="English",
    page_look="Regarder des images",
    page_model="Le modèle",
    page_data="Les images apprises",
    pages="Pages",
    retry="Réessayer",
    api_down_help=(
        "La page est bien là, mais pas l’API d’Imagette à l’adresse `{url}`. Si c’est ton"
        " ordinateur, démarre-la avec `imagette serve` (ou démarre les deux avec `imagette demo`),"
        " puis réessaie."
    ),
    # Looking at pictures: choosing.
    introduction="Montre-moi une image, je te dirai ce que j’y vois.",
    knows="Je connais {count} choses\u00a0: {names}.",
    choose="Choisis des images",
    drop_here="Dépose des images ici",
    browse="Choisir des fichiers",
    camera="Prendre une photo",
    camera_close="Fermer la caméra",
    camera_take="Prendre la photo",
    camera_allow=(
        "Ton navigateur demande si cette page peut utiliser la caméra\u00a0: réponds oui. S’il ne"
        " demande rien, autorise-la dans les réglages, à côté de l’adresse."
    ),
    camera_forbidden=(
        "Les navigateurs ne prêtent la caméra qu’aux pages de ton propre ordinateur ou reçues en"
        " https, et ce n’est pas le cas de celle-ci. Sur un téléphone ou une tablette,"
        " «\u202fChoisir des fichiers\u202f» peut aussi prendre une photo."
    ),
    camera_refused=(
        "La caméra n’est pas utilisable\u00a0: il n’y en a pas, ou cette page n’y a pas accès."
        " Autorise-la dans les réglages à côté de l’adresse."
    ),
    photo="photo {number}",
    try_sample="Pas d’image sous la main\u00a0? Essaie l’une de celles-ci\u00a0:",
    gallery="D’autres exemples\u00a0: de vraies photos, aussi petites que celles qu’il a apprises",
    gallery_class="Des exemples de quelle classe\u00a0?",
    gallery_note="Le réseau n’a jamais appris sur celles-ci\u00a0: ce sont des images de test.",
    example="{name}, exemple {number}",
    # Looking at pictures: the answer.
    looking="Je la regarde…",
    your_picture="Ton image",
    what_decided="Ton image, et ce qui a décidé",
    what_decided_help=(
        "Plus la couleur est chaude, plus cet endroit a parlé pour «\u202f{name}\u202f»."
    ),
    opacity="Couleurs",
    network_sees="Ce que voit le réseau",
    network_sees_help="Il ramène chaque image à {width}\u00a0×\u00a0{height} points.",
    how_probable="À quel point chaque réponse lui paraît probable",
    how_probable_unknown=(
        "À quel point chacune serait probable, s’il fallait que ce soit l’une d’elles"
    ),
    other_classes="{count} autres classes",
    familiarity="À quel point cela m’est familier",
    familiarity_known=(
        "C’est à droite du trait\u00a0: j’ai vu des images de ce genre pendant que j’apprenais."
    ),
    familiarity_unknown=(
        "C’est à gauche du trait\u00a0: je n’ai presque rien vu de tel pendant que j’apprenais,"
        " alors ne te fie pas à ma réponse."
    ),
    familiarity_value="{value} sur 100\u00a0; le trait est à {threshold}",
    surely="C’est {first}, j’en suis presque certain (sûr à {confidence}).",
    probably="Je pense que c’est {first} (sûr à {confidence}).",
    perhaps="C’est peut-être {first} (sûr à {confidence}), ou bien {second}.",
    unsure="Je ne sais pas vraiment. Peut-être {first}, mais je n’en suis sûr qu’à {confidence}.",
    none_of_these="Je crois que ce n’est aucune des choses que je connais.",
    closest="Ce à quoi cela me fait le plus penser\u00a0: {first}, puis {second}.",
    none_short="rien de tout cela",
    more_than="plus de",
    # Looking at pictures: this session.
    history="Ce que tu m’as montré",
    history_help="Choisis une image pour revoir sa réponse.",
    download="Télécharger en tableau (CSV)",
    forget="Tout oublier",
    privacy=(
        "Tes images sont regardées, puis oubliées\u00a0: seule cette page garde ce qu’elle te"
        " montre, jusqu’à ce que tu la fermes."
    ),
    # The model.
    model_title="Ce que vaut le modèle",
    dataset="Il a appris sur les images de {dataset}.",
    test_accuracy=(
        "Sur des images de test qu’il n’avait jamais vues, il a raison {accuracy} du temps."
    ),
    validation_accuracy=(
        "Sur des images mises de côté pendant qu’il apprenait, il a raison {accuracy} du temps."
    ),
    left_out_accuracy=(
        "Interrogé sur chacune de ses images comme s’il ne l’avait jamais vue, il a raison"
        " {accuracy} du temps."
    ),
    interval=(
        "C’est mesuré sur {count} images\u00a0; avec d’autres du même genre, ce serait entre {low}"
        " et {high} (confiance de 95\u202f%)."
    ),
    chance="Au hasard, on aurait raison {chance} du temps.",
    network="C’est un réseau de neurones, {model}, de {parameters} nombres.",
    no_evaluation=(
        "Le fichier de ce modèle n’en dit pas plus sur ce qu’il vaut\u00a0: une version plus"
        " ancienne d’Imagette l’a écrit. Entraîne-le ou exporte-le de nouveau, et ses courbes, ses"
        " erreurs et sa fiabilité seront montrées ici."
    ),
    confusion="Ce qu’il prend pour quoi",
    confusion_help=(
        "Chaque ligne est ce que les images montrent vraiment, chaque colonne ce que le modèle a"
        " dit, et chaque case un nombre d’images. La diagonale bleue est là où il a raison."
    ),
    confusion_corner="en vrai ↓ dit →",
    mistakes="Ses erreurs les plus fréquentes",
    mistake="{truth} pris pour {said}\u00a0: {count} sur {total}",
    no_mistakes="Il n’en a fait aucune.",
    reliability="Peut-on croire ses pourcentages\u00a0?",
    reliability_help=(
        "Quand il dit «\u202fsûr à 80\u202f%\u202f», a-t-il raison 80 fois sur 100\u00a0? Des"
        " points sur la ligne en tirets veulent dire oui\u00a0; en dessous, le modèle est trop sûr"
        " de lui\u00a0; au-dessus, trop modeste. Les gros points représentent plus d’images."
    ),
    calibration=(
        "En moyenne, ce qu’il dit s’écarte de {error} de la fréquence à laquelle il a raison"
        " (erreur de calibration attendue)."
    ),
    brier="Son score de Brier est de {brier} (0 est parfait).",
    how_sure="À quel point il se dit sûr",
    how_right="Combien de fois il a raison",
    pictures="Images",
    reliability_alt=(
        "Graphique de la fréquence à laquelle le modèle a raison selon ce dont il se dit sûr\u00a0;"
        " les mêmes nombres sont dans le tableau ci-dessous."
    ),
    per_class="Classe par classe",
    per_class_help=(
        "Trouvées\u00a0: parmi les images d’une classe, celles qu’il a reconnues (rappel)."
        " Justes\u00a0: parmi les images qu’il a appelées ainsi, celles qui l’étaient (précision)."
    ),
    class_name="Classe",
    recall="Trouvées",
    precision="Justes",
    f1="Score F1",
    curves="Comment il a appris",
    curves_help=(
        "Il a regardé toutes ses images {epochs} fois (époques). Les images mises de côté montrent"
        " s’il apprend pour de bon, ou seulement par cœur. Des images modifiées au hasard pendant"
        " qu’il apprend sont plus difficiles, leur ligne peut donc être la plus basse."
    ),
    curves_alt=(
        "Graphique par époque\u00a0: {quantity}\u00a0; les mêmes nombres sont dans le tableau"
        " ci-dessous."
    ),
    epoch="Époque",
    accuracy="Exactitude",
    loss="Perte",
    learning="images sur lesquelles il apprend",
    set_aside="images mises de côté",
    as_table="Les nombres, en tableau",
    limits="Ce qu’il ne sait pas faire",
    limit_classes=(
        "Il ne connaît que {count} choses\u00a0: {names}. Il n’a de mot pour rien d’autre."
    ),
    limit_unknown=(
        "Il essaie de remarquer les images d’autre chose, selon qu’elles lui sont familières ou"
        " non, mais il peut les manquer, et il répond alors par l’un de ses {count} mots. Il peut"
        " aussi ne pas reconnaître une chose qu’il connaît."
    ),
    limit_no_unknown=(
        "Il ne sait pas remarquer les images d’autre chose\u00a0: devant n’importe quoi d’autre, il"
        " répond quand même par l’un de ses {count} mots."
    ),
    limit_size=(
        "Il voit {width}\u00a0×\u00a0{height} points\u00a0: ce qui est petit dans une grande image"
        " lui échappe."
    ),
    limit_wrong=(
        "Il peut se tromper, même quand il est sûr de lui. Ne le laisse jamais décider de quelque"
        " chose d’important."
    ),
    # The data.
    data_title="Les images sur lesquelles il a appris",
    data_facts=(
        "{dataset}\u00a0: {total} petites images de {count} classes, de"
        " {width}\u00a0×\u00a0{height} points chacune. {train} servent à apprendre\u00a0; {test}"
        " sont gardées à part pour vérifier ce qui a été appris."
    ),
    counts="Combien de chaque",
    to_learn="Pour apprendre",
    to_test="Pour vérifier",
    total="Toutes",
    examples="À quoi elles ressemblent",
    examples_help="Au plus dix images de test par classe.",
    ask_about="Interroger le modèle sur l’une d’elles",
    no_data=(
        "Les images elles-mêmes ne sont pas sur ce serveur, elles ne peuvent donc pas être"
        " montrées. Voici ce que le modèle en dit lui-même."
    ),
    no_data_help=(
        "Pour les montrer, mets le dossier `cifar-10-batches-py` de CIFAR-10 sur la machine de"
        " l’API, puis démarre-la par `IMAGETTE_CIFAR10_DIR=/chemin/vers/cifar-10-batches-py"
        " imagette serve --ui`."
    ),
    unnamed_dataset="Le modèle ne dit pas sur quelles images il a appris.",
    # Teaching: naming the classes.
    page_teach="Apprends-lui",
    teach_title="Apprends-moi quelque chose",
    teach_introduction=(
        "Montre-moi des images de deux choses ou plus, et j’apprendrai à les distinguer."
    ),
    teach_name_step="1. Que dois-je distinguer\u00a0?",
    teach_name="Nom numéro {number}",
    teach_examples="Mon bol, Ma tasse, Mon verre",
    teach_add_class="Ajouter un nom",
    teach_begin="Maintenant, les images",
    teach_names_missing="Écris d’abord au moins deux noms.",
    teach_rename="Changer les noms",
    # Teaching: the pictures.
    teach_pictures_step="2. Montre-moi des images de chaque chose",
    teach_pictures_help=(
        "Chacune compte tout de suite. Choisis-les aussi différentes que possible\u00a0: de près"
        " et de loin, devant d’autres fonds, tournées."
    ),
    teach_count="Images\u00a0: {count}",
    teach_camera="Ouvrir la caméra",
    teach_add_from_camera="+ {name}",
    teach_camera_help=(
        "Appuie sur un nom pour prendre une image\u00a0; reste appuyé pour en prendre plusieurs, en"
        " bougeant un peu."
    ),
    teach_drop_here="{name}\u00a0: dépose des images ici",
    teach_sending="Je les range…",
    teach_refused="Laissées de côté\u00a0: {count}. {reason}",
    teach_take_away="{name}, image {number}\u00a0: l’enlever",
    teach_take_away_help="Une image n’est pas à sa place\u00a0? Clique dessus pour l’enlever.",
    teach_show_all="Montrer les {count}",
    teach_drop_waiting="Abandonner les images en attente",
    # Teaching: what comes of them.
    teach_no_model="Dès que deux choses auront une image, je pourrai répondre.",
    teach_single=(
        "Je réponds déjà\u00a0: essaie-moi plus bas. Dès que chaque chose aura deux images, je"
        " pourrai dire si je suis fiable."
    ),
    teach_right=(
        "Je reconnais {right} de tes {count} images quand je regarde chacune comme si je ne l’avais"
        " jamais vue."
    ),
    teach_interval=(
        "Sur beaucoup d’autres du même genre, j’aurais raison dans {low} à {high} des cas."
    ),
    teach_unknown="Je n’ai encore aucune image de\u00a0: {names}.",
    teach_few=(
        "C’est encore peu\u00a0: avec {count} images ou plus de chaque chose, je serai meilleur, et"
        " je saurai mieux si je suis fiable."
    ),
    teach_try="3. Essaie-moi",
    teach_try_help=(
        "Montre-moi une image que je n’ai pas encore vue, ou mets quelque chose devant la caméra."
        " Dès que tu ajoutes ou enlèves des images, je réponds de nouveau."
    ),
    teach_why="Montrer ce qui a décidé",
    teach_download="Télécharger ce que j’ai appris",
    teach_download_help=(
        "Un seul fichier qui contient tout. `imagette serve --ui --model imagette-lesson.onnx` en"
        " fait une page."
    ),
    teach_address=(
        "L’adresse de cette page ramène ici, depuis un autre appareil aussi. Qui la connaît peut"
        " tout y voir et tout y changer\u00a0: ne la donne qu’aux personnes qui en ont le droit."
    ),
    teach_privacy=(
        "Tes images restent sur le serveur de cette page, réduites et sans ce que l’appareil photo"
        " y a écrit, jusqu’à ce que tu les oublies ou que personne ne soit revenu pendant {hours}"
        " heures. Ce que voit la caméra ouverte, et les images que tu essaies, n’y sont pas"
        " conservés."
    ),
    teach_forget="Oublier tout ceci",
    teach_forget_sure="Les noms, les images et ce que j’en ai appris auront disparu.",
    teach_forget_yes="Oui, oublier",
    teach_anew="Recommencer",
    # What went wrong.
    problems={
        "api-down": (
            "Je ne peux pas réfléchir\u00a0: la partie de moi qui regarde les images ne répond pas."
        ),
        "unreadable-picture": (
            "Je n’arrive pas à lire ce fichier comme une image. Il est peut-être abîmé, ou ce n’est"
            " pas une image. Essaie avec un fichier PNG ou JPEG."
        ),
        "empty-picture": "Ce fichier est vide. Choisis-en un autre.",
        "no-picture": "Ce fichier est vide. Choisis-en un autre.",
        "picture-too-large": (
            "Cette image a trop de pixels pour moi. Réduis-la, puis essaie de nouveau."
        ),
        "request-too-large": (
            "Ce fichier est trop lourd pour moi. Réduis-le, puis essaie de nouveau."
        ),
        "too-many-requests": (
            "Trop d’images à la fois\u00a0: il me faut une pause. Attends une minute, puis"
            " réessaie."
        ),
        "out-of-time": (
            "C’est trop long\u00a0: j’ai peut-être trop à faire. Réessaie dans un instant."
        ),
        "not-ready": "Je ne suis pas encore prêt. Réessaie dans un instant.",
        "unauthorized": (
            "Je n’ai pas le droit de répondre\u00a0: l’API veut une clé que cette page n’a pas. La"
            " personne qui fait tourner la page peut la donner dans la variable d’environnement"
            " IMAGETTE_API_KEY."
        ),
        "wrong-classes": (
            "Je ne peux pas prendre ces noms. Donne à chacun le sien, de 40 lettres, chiffres,"
            " espaces ou émojis au plus, en commençant par une lettre ou un chiffre."
        ),
        "same-picture": "J’ai déjà cette image.",
        "lesson-full": "Je ne peux pas garder plus d’images que celles-ci. Enlèves-en d’abord.",
        "not-learned": "Il me faut d’abord des images d’au moins deux choses.",
        "too-many-lessons": (
            "J’apprends déjà pour autant de personnes que je peux. Réessaie un peu plus tard."
        ),
        "no-room": "Mon disque est plein. Dis-le à la personne qui fait tourner cette page.",
        "no-lesson": (
            "Je ne sais plus rien de cela\u00a0: cela a été effacé, ou personne n’est revenu"
            " pendant trop longtemps."
        ),
    },
    left_out=(
        "Cela fait beaucoup d’images\u00a0: je regarde les {kept} premières."
        " Choisis les autres ({count}) ensuite."
    ),
    other_problem=(
        "Quelque chose s’est mal passé pendant que je regardais cette image. Réessaie dans un"
        " instant."
    ),
)

TEXTS: dict[Language, Texts] = {"en": ENGLISH, "fr": FRENCH}

DATASET_TITLES = {"cifar10": "CIFAR-10"}

# Other names are quoted, because their article is not known.
_WITH_ARTICLE = {
    "en": (
        "an airplane, an automobile, a bird, a car, a cat, a deer, a dog, a frog, a horse, a ship,"
        " a truck"
    ),
    "fr": (
        "un avion, une automobile, une voiture, un oiseau, un chat, un cerf, un chien,"
        " une grenouille, un cheval, un bateau, un navire, un camion"
    ),
}


def with_article(name: str, language: Language) -> str:
    """`cat` becomes `a cat`; a name that is not in the list is put in quotation marks."""
    for words in _WITH_ARTICLE[language].split(", "):
        if words.split(" ", 1)[1] == name:
            return words
    return f"“{name}”" if language == "en" else f"«{_NARROW}{name}{_NARROW}»"


def percent(fraction: float, language: Language) -> str:
    """`0.87` becomes `87%` or `87 %`; nothing possible is called 0 or 100 percent."""
    shown = wording.percent(min(max(fraction, 0.01), 0.99), language, digits=0)
    return "> " + shown if fraction > 0.99 else "< " + shown if fraction < 0.01 else shown


def answer_sentence(
    ranking: list[tuple[str, float]], known: bool | None, language: Language
) -> str:
    """What the network thinks, in a sentence that says how sure it is.

    Args:
        ranking: names of the classes with their probabilities, the most probable first.
        known: False if the picture looks like none of the classes.
        language: in which to say it.
    """
    texts = TEXTS[language]
    if known is False:
        return texts.none_of_these
    confidence = ranking[0][1]
    if confidence >= 0.9:
        sentence = texts.surely
    elif confidence >= 0.6:
        sentence = texts.probably
    elif confidence >= 0.35:
        sentence = texts.perhaps
    else:
        sentence = texts.unsure
    return sentence.format(
        first=with_article(ranking[0][0], language),
        second=with_article(ranking[1][0], language),
        confidence=percent(confidence, language).replace(">", texts.more_than),
    )


def closest(ranking: list[tuple[str, float]], language: Language) -> str:
    """What a picture of none of the classes comes closest to, in a sentence."""
    first, second = (with_article(name, language) for name, _ in ranking[:2])
    return TEXTS[language].closest.format(first=first, second=second)


def short_answer(ranking: list[tuple[str, float]], known: bool | None, language: Language) -> str:
    """The answer in two or three words, for where there is little room."""
    if known is False:
        return TEXTS[language].none_short
    name, confidence = ranking[0]
    return f"{name} {percent(confidence, language)}"
