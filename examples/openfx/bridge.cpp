// An OpenFX image effect, for Nuke, Resolve, Natron and others: it inverts an image, and draws a
// watermark over it while it is locked. Server, key and product are compiled in (CMakeLists.txt).
//
// A render asks for the lock state, which takes some nanoseconds and never waits, on any thread.
// Everything else happens where the host tells that a person has done something.
//
// What hosts do, and what this does about it:
//   - They load every plug-in to look at it, also in processes of their own: the license is opened
//     with the first instance, not in kOfxActionLoad.
//   - They write parameters into projects, which people send to each other: the parameter with the
//     token is not persistent, and is emptied once it was submitted.
//   - They keep what was rendered. A hidden parameter changes together with the license, so that
//     images with a watermark are rendered again.
//   - There is no timer. A click waits for its answer for as long as people expect it to; a later
//     answer is shown at the next click.
#include <seatlock.hpp>

#include <cstring>
#include <mutex>
#include <new>

#include "ofxImageEffect.h"
#include "ofxParam.h"
#include "ofxPixels.h"

namespace {

constexpr seatlock::milliseconds patience{3000};

OfxHost *host = nullptr;
const OfxPropertySuiteV1 *properties = nullptr;
const OfxImageEffectSuiteV1 *effects = nullptr;
const OfxParameterSuiteV1 *parameters = nullptr;

// Opened by the first instance, closed in kOfxActionUnload. One that is not open is locked.
seatlock::client license;
std::string trouble; // why it is not open
std::mutex opening;

void open_license() {
    const std::lock_guard<std::mutex> one(opening);
    if (license)
        return;
    seatlock::options options;
    options.product(EXAMPLE_PRODUCT).server(EXAMPLE_SERVER).root_key(EXAMPLE_ROOT_KEY);
    options.terms("2026-01").auto_renew(true);
    char *name = nullptr, *version = nullptr;
    if (properties->propGetString(host->host, kOfxPropName, 0, &name) == kOfxStatOK &&
        properties->propGetString(host->host, kOfxPropVersionLabel, 0, &version) == kOfxStatOK)
        options.host(name, version);
    auto opened = seatlock::client::open(options);
    if (!opened) {
        trouble = opened.error().message;
        return;
    }
    license = *std::move(opened);
    (void)license.ping(seatlock::intent::launch); // its end needs to be shown nowhere
}

// ---- Parameters: what a person sees -----------------------------------------------------------

OfxParamHandle parameter(OfxImageEffectHandle instance, const char *name) {
    OfxParamSetHandle set = nullptr;
    OfxParamHandle found = nullptr;
    effects->getParamSet(instance, &set);
    parameters->paramGetHandle(set, name, &found, nullptr);
    return found;
}

bool ticked(OfxImageEffectHandle instance, const char *name) {
    int value = 0;
    parameters->paramGetValue(parameter(instance, name), &value);
    return value != 0;
}

void show(OfxImageEffectHandle instance, const std::string &said) {
    parameters->paramSetValue(parameter(instance, "license"), said.c_str());
    // Every image that was rendered before depends on it.
    const int shown = license.status().licensed() ? 1 : 0;
    int before = 0;
    OfxParamHandle hidden = parameter(instance, "licensed");
    parameters->paramGetValue(hidden, &before);
    if (before != shown)
        parameters->paramSetValue(hidden, shown);
}

std::string state() { return license ? license.text(seatlock::text::status) : trouble; }

// What a click has led to, if it is known soon; later clicks show the rest.
void answer(OfxImageEffectHandle instance, const seatlock::result<seatlock::operation> &sent) {
    if (!sent)
        return show(instance, sent.error().message);
    auto ended = license.wait(*sent, patience);
    if (ended)
        show(instance, state());
    else if (ended.error().code == seatlock::code::pending)
        show(instance, "The license server has not answered yet. Click Update in a moment.");
    else
        show(instance, ended.error().message);
}

void activate(OfxImageEffectHandle instance) {
    char *typed = nullptr;
    parameters->paramGetValue(parameter(instance, "token"), &typed);
    const std::string token = typed != nullptr ? typed : "";
    auto consent = seatlock::consent::none;
    if (ticked(instance, "agree"))
        consent |= seatlock::consent::terms;
    if (ticked(instance, "remember"))
        consent |= seatlock::consent::remember;
    auto sent = license.activate(token, consent);
    if (sent)
        parameters->paramSetValue(parameter(instance, "token"), "");
    answer(instance, sent);
}

OfxStatus changed(OfxImageEffectHandle instance, OfxPropertySetHandle in) {
    char *name = nullptr, *why = nullptr;
    properties->propGetString(in, kOfxPropName, 0, &name);
    properties->propGetString(in, kOfxPropChangeReason, 0, &why);
    if (name == nullptr || why == nullptr || std::strcmp(why, kOfxChangeUserEdited) != 0)
        return kOfxStatReplyDefault;
    if (std::strcmp(name, "activate") == 0)
        activate(instance);
    else if (std::strcmp(name, "release") == 0)
        answer(instance, license.release());
    else if (std::strcmp(name, "update") == 0)
        show(instance, state());
    else
        return kOfxStatReplyDefault;
    return kOfxStatOK;
}

OfxPropertySetHandle define(OfxParamSetHandle set, const char *type, const char *name,
                            const char *label) {
    OfxPropertySetHandle made = nullptr;
    parameters->paramDefine(set, type, name, &made);
    properties->propSetString(made, kOfxPropLabel, 0, label);
    // Nothing of this belongs into a project, and none of it changes an image.
    properties->propSetInt(made, kOfxParamPropPersistant, 0, 0);
    properties->propSetInt(made, kOfxParamPropEvaluateOnChange, 0, 0);
    properties->propSetInt(made, kOfxParamPropAnimates, 0, 0);
    return made;
}

// ---- The image --------------------------------------------------------------------------------

// One mark; it is repeated over the whole image. Its lines begin at the lower end, as images do.
constexpr int mark_width = 63, mark_height = 12, mark_scale = 4;
constexpr const char *mark[mark_height] = {
    "#   #  ###      #     #####  #### ##### #   #  #### #####      ", //
    "##  # #   #     #       #   #     #     ##  # #     #          ", //
    "# # # #   #     #       #   #     #     # # # #     #          ", //
    "#  ## #   #     #       #   #     ####  #  ##  ###  ####       ", //
    "#   # #   #     #       #   #     #     #   #     # #          ", //
    "#   # #   #     #       #   #     #     #   #     # #          ", //
    "#   #  ###      ##### #####  #### ##### #   # ####  #####      ", //
    "                                                               ", //
    "                                                               ", //
    "                                                               ", //
    "                                                               ", //
    "                                                               ", //
};

bool marked(int x, int y) {
    const int row = (y / mark_scale) % mark_height;
    const int shift = (y / mark_scale / mark_height) * (mark_width / 3); // each row further on
    const int column = (x / mark_scale + shift) % mark_width;
    return row >= 0 && column >= 0 && mark[mark_height - 1 - row][column] == '#';
}

// An image of a clip, given back when this dies.
class image {
public:
    image(OfxImageEffectHandle instance, const char *clip, OfxTime time) {
        OfxImageClipHandle found = nullptr;
        if (effects->clipGetHandle(instance, clip, &found, nullptr) != kOfxStatOK ||
            effects->clipGetImage(found, time, nullptr, &handle_) != kOfxStatOK)
            return;
        void *data = nullptr;
        properties->propGetPointer(handle_, kOfxImagePropData, 0, &data);
        properties->propGetInt(handle_, kOfxImagePropRowBytes, 0, &row_);
        properties->propGetIntN(handle_, kOfxImagePropBounds, 4, &bounds_.x1);
        data_ = static_cast<char *>(data);
    }
    image(const image &) = delete;
    image &operator=(const image &) = delete;
    ~image() {
        if (handle_ != nullptr)
            effects->clipReleaseImage(handle_);
    }
    explicit operator bool() const { return data_ != nullptr; }
    OfxRGBAColourB *at(int x, int y) const {
        if (x < bounds_.x1 || x >= bounds_.x2 || y < bounds_.y1 || y >= bounds_.y2)
            return nullptr;
        char *line = data_ + std::ptrdiff_t{row_} * (y - bounds_.y1);
        return reinterpret_cast<OfxRGBAColourB *>(line) + (x - bounds_.x1);
    }

private:
    OfxPropertySetHandle handle_ = nullptr;
    char *data_ = nullptr;
    int row_ = 0;
    OfxRectI bounds_{};
};

constexpr unsigned char inverted(unsigned char value) {
    return static_cast<unsigned char>(255 - value);
}

OfxStatus render(OfxImageEffectHandle instance, OfxPropertySetHandle in) {
    OfxTime time = 0;
    OfxRectI window{};
    properties->propGetDouble(in, kOfxPropTime, 0, &time);
    properties->propGetIntN(in, kOfxImageEffectPropRenderWindow, 4, &window.x1);
    const image output(instance, kOfxImageEffectOutputClipName, time);
    const image source(instance, kOfxImageEffectSimpleSourceClipName, time);
    if (!output || !source)
        return effects->abort(instance) ? kOfxStatOK : kOfxStatFailed;

    const bool licensed = license.status().licensed(); // once for each image
    for (int y = window.y1; y < window.y2 && !effects->abort(instance); y++) {
        for (int x = window.x1; x < window.x2; x++) {
            OfxRGBAColourB *to = output.at(x, y);
            const OfxRGBAColourB *from = source.at(x, y);
            if (to == nullptr)
                continue;
            if (from == nullptr)
                *to = {0, 0, 0, 0};
            else if (!licensed && marked(x, y))
                *to = {128, 128, 128, 255};
            else
                *to = {inverted(from->r), inverted(from->g), inverted(from->b), from->a};
        }
    }
    return kOfxStatOK;
}

// ---- What the host asks -----------------------------------------------------------------------

OfxStatus load() {
    auto suite = [](const char *name) { return host->fetchSuite(host->host, name, 1); };
    properties = static_cast<const OfxPropertySuiteV1 *>(suite(kOfxPropertySuite));
    effects = static_cast<const OfxImageEffectSuiteV1 *>(suite(kOfxImageEffectSuite));
    parameters = static_cast<const OfxParameterSuiteV1 *>(suite(kOfxParameterSuite));
    const bool complete = properties != nullptr && effects != nullptr && parameters != nullptr;
    return complete ? kOfxStatOK : kOfxStatErrMissingHostFeature;
}

OfxStatus describe(OfxImageEffectHandle effect) {
    OfxPropertySetHandle set = nullptr;
    effects->getPropertySet(effect, &set);
    properties->propSetString(set, kOfxPropLabel, 0, "Bridge");
    properties->propSetString(set, kOfxImageEffectPluginPropGrouping, 0, "Example");
    properties->propSetString(set, kOfxImageEffectPropSupportedContexts, 0,
                              kOfxImageEffectContextFilter);
    properties->propSetString(set, kOfxImageEffectPropSupportedPixelDepths, 0, kOfxBitDepthByte);
    return kOfxStatOK;
}

OfxStatus describe_in_context(OfxImageEffectHandle effect) {
    for (const char *clip : {kOfxImageEffectOutputClipName, kOfxImageEffectSimpleSourceClipName}) {
        OfxPropertySetHandle made = nullptr;
        effects->clipDefine(effect, clip, &made);
        properties->propSetString(made, kOfxImageEffectPropSupportedComponents, 0,
                                  kOfxImageComponentRGBA);
    }
    OfxParamSetHandle set = nullptr;
    effects->getParamSet(effect, &set);
    OfxPropertySetHandle shown = define(set, kOfxParamTypeString, "license", "License");
    properties->propSetInt(shown, kOfxParamPropEnabled, 0, 0);
    define(set, kOfxParamTypeString, "token", "Token");
    define(set, kOfxParamTypeBoolean, "agree", "I have read and agree to the license terms");
    define(set, kOfxParamTypeBoolean, "remember", "Use token for future sessions");
    define(set, kOfxParamTypePushButton, "activate", "Activate");
    define(set, kOfxParamTypePushButton, "update", "Update");
    define(set, kOfxParamTypePushButton, "release", "Release the seat");
    OfxPropertySetHandle hidden = define(set, kOfxParamTypeInteger, "licensed", "Licensed");
    properties->propSetInt(hidden, kOfxParamPropSecret, 0, 1);
    properties->propSetInt(hidden, kOfxParamPropEvaluateOnChange, 0, 1);
    return kOfxStatOK;
}

OfxStatus act(const char *action, OfxImageEffectHandle effect, OfxPropertySetHandle in) {
    auto is = [action](const char *name) { return std::strcmp(action, name) == 0; };
    if (is(kOfxImageEffectActionRender))
        return render(effect, in);
    if (is(kOfxActionInstanceChanged))
        return changed(effect, in);
    if (is(kOfxActionCreateInstance)) {
        open_license();
        show(effect, state());
        return kOfxStatOK;
    }
    if (is(kOfxActionLoad))
        return load();
    if (is(kOfxActionDescribe))
        return describe(effect);
    if (is(kOfxImageEffectActionDescribeInContext))
        return describe_in_context(effect);
    if (is(kOfxActionUnload)) { // no instance is left, so nothing renders
        license = {};
        return kOfxStatOK;
    }
    return kOfxStatReplyDefault;
}

// No exception may reach the host.
OfxStatus enter(const char *action, const void *handle, OfxPropertySetHandle in,
                OfxPropertySetHandle) {
    try {
        return act(action, static_cast<OfxImageEffectHandle>(const_cast<void *>(handle)), in);
    } catch (const std::bad_alloc &) {
        return kOfxStatErrMemory;
    } catch (...) {
        return kOfxStatErrUnknown;
    }
}

void take_host(OfxHost *given) { host = given; }

OfxPlugin plugin = {kOfxImageEffectPluginApi, 1, "com.example.bridge", 1, 0, take_host, enter};

} // namespace

#ifdef _WIN32
#define EXPORT extern "C" __declspec(dllexport)
#else
#define EXPORT extern "C" __attribute__((visibility("default")))
#endif

EXPORT OfxPlugin *OfxGetPlugin(int nth);
EXPORT OfxPlugin *OfxGetPlugin(int nth) { return nth == 0 ? &plugin : nullptr; }
EXPORT int OfxGetNumberOfPlugins(void);
EXPORT int OfxGetNumberOfPlugins(void) { return 1; }
