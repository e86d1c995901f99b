// A person with an effect in OpenFX's own host, which is compiled from its sources: parameters are
// typed into, buttons clicked, images rendered on another thread, and the plug-in is unloaded and
// loaded again.
//
//     openfx story FOLDER      with a license server; the token comes from standard input
//     openfx hanging FOLDER    with one that never answers
//
// FOLDER has the bundle. As OpenFX's sources, this is C++14.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "ofxCore.h"
#include "ofxImageEffect.h"
#include "ofxPixels.h"
#include "ofxhBinary.h"
#include "ofxhPropertySuite.h"
#include "ofxhClip.h"
#include "ofxhParam.h"
#include "ofxhMemory.h"
#include "ofxhImageEffect.h"
#include "ofxhPluginAPICache.h"
#include "ofxhPluginCache.h"
#include "ofxhHost.h"
#include "ofxhImageEffectAPI.h"

#include "hostDemoHostDescriptor.h"
#include "hostDemoEffectInstance.h"
#include "hostDemoClipInstance.h"

namespace {

using OFX::Host::ImageEffect::ImageEffectPlugin;
using clock_type = std::chrono::steady_clock;

void check(bool good, const std::string &what) {
    if (!good)
        throw std::runtime_error(what);
}

// Parameters that keep what they are given; those of the demonstration host do not.
template <class Base, class Value> class Kept : public Base {
public:
    using Base::Base;
    OfxStatus get(Value &value) override { return value = value_, kOfxStatOK; }
    OfxStatus get(OfxTime, Value &value) override { return get(value); }
    OfxStatus set(Value value) override { return value_ = value, kOfxStatOK; }
    OfxStatus set(OfxTime, Value value) override { return set(value); }

private:
    Value value_{};
};
using Flag = Kept<OFX::Host::Param::BooleanInstance, bool>;
using Number = Kept<OFX::Host::Param::IntegerInstance, int>;

class Text : public OFX::Host::Param::StringInstance {
public:
    using StringInstance::StringInstance;
    OfxStatus get(std::string &value) override { return value = value_, kOfxStatOK; }
    OfxStatus get(OfxTime, std::string &value) override { return get(value); }
    OfxStatus set(const char *value) override { return value_ = value, kOfxStatOK; }
    OfxStatus set(OfxTime, const char *value) override { return set(value); }

private:
    std::string value_;
};

class Effect : public MyHost::MyEffectInstance {
public:
    using MyEffectInstance::MyEffectInstance;

    OFX::Host::Param::Instance *newParam(const std::string &name,
                                         OFX::Host::Param::Descriptor &from) override {
        if (from.getType() == kOfxParamTypeString)
            return new Text(from, this);
        if (from.getType() == kOfxParamTypeBoolean)
            return new Flag(from, this);
        if (from.getType() == kOfxParamTypeInteger)
            return new Number(from, this);
        return MyEffectInstance::newParam(name, from);
    }

    // What a person does.
    void type(const std::string &name, const std::string &text) {
        dynamic_cast<Text &>(*getParam(name)).set(text.c_str());
    }
    void tick(const std::string &name) { dynamic_cast<Flag &>(*getParam(name)).set(true); }
    void click(const std::string &name) {
        const OfxPointD scale = {1, 1};
        beginInstanceChangedAction(kOfxChangeUserEdited);
        check(paramInstanceChangedAction(name, kOfxChangeUserEdited, 0, scale) == kOfxStatOK,
              "the click on " + name);
        endInstanceChangedAction(kOfxChangeUserEdited);
    }
    std::string said(const std::string &name) {
        std::string text;
        dynamic_cast<Text &>(*getParam(name)).get(text);
        return text;
    }

    // How often the host was told that images which it keeps are out of date.
    int shown() {
        int value = 0;
        dynamic_cast<Number &>(*getParam("licensed")).get(value);
        return value;
    }

    // An image, rendered on a thread that is not the one of clicks. Answers how many of its pixels
    // are a watermark's.
    int render(const std::string &file = "") {
        const OfxPointD scale = {1, 1};
        OfxStatus status = kOfxStatFailed;
        std::thread([&] {
            const auto begin = clock_type::now();
            beginRenderAction(0, 1, 1, false, scale, true, false);
            status = renderAction(0, kOfxImageFieldBoth, window, scale, true, false, false);
            endRenderAction(0, 1, 1, false, scale, true, false);
            longest = std::max(longest, clock_type::now() - begin);
        }).join();
        check(status == kOfxStatOK, "the image was not rendered");
        return marked(file);
    }
    clock_type::duration longest{}; // time that an image took

private:
    const OfxRectI window = {0, 0, 720, 576};

    int marked(const std::string &file) {
        auto &clip = dynamic_cast<MyHost::MyClipInstance &>(*getClip("Output"));
        MyHost::MyImage *image = clip.getOutputImage();
        int marked = 0;
        std::ofstream out;
        if (!file.empty())
            out.open(file);
        out << "P3 720 576 255\n";
        for (int y = window.y2 - 1; y >= window.y1; y--) { // the lowest line comes first in OpenFX
            for (int x = window.x1; x < window.x2; x++) {
                const OfxRGBAColourB *pixel = image->pixel(x, y);
                marked += pixel->r == 128 ? 1 : 0; // images of this host are black and white
                if (out.is_open())
                    out << int{pixel->r} << ' ' << int{pixel->g} << ' ' << int{pixel->b} << '\n';
            }
        }
        return marked;
    }
};

class Host : public MyHost::Host {
public:
    OFX::Host::ImageEffect::Instance *newInstance(void *, ImageEffectPlugin *plugin,
                                                  OFX::Host::ImageEffect::Descriptor &described,
                                                  const std::string &context) override {
        return new Effect(plugin, described, context);
    }
};

// Whether a file with this in its name is mapped into the process.
bool mapped(const std::string &name) {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);)
        if (line.find(name) != std::string::npos)
            return true;
    return false;
}

// Loads the plug-in, does something with an instance, and unloads it.
template <class Act> void with_effect(const std::string &folder, Act act) {
    static Host host; // the suites keep a pointer to it
    OFX::Host::PluginCache &cache = *OFX::Host::PluginCache::getPluginCache();
    {
        OFX::Host::ImageEffect::PluginCache effects(host);
        effects.registerInCache(cache);
        cache.addFileToPath(folder);
        cache.scanPluginFiles();
        ImageEffectPlugin *plugin = effects.getPluginById("com.example.bridge");
        check(plugin != nullptr, "the plug-in was not found");
        std::unique_ptr<OFX::Host::ImageEffect::Instance> made(
            plugin->createInstance(kOfxImageEffectContextFilter, nullptr));
        check(made != nullptr, "there is no instance");
        check(made->createInstanceAction() == kOfxStatOK, "the instance was refused");
        check(made->getClipPreferences(), "there are no clip preferences");
        act(dynamic_cast<Effect &>(*made));
        made.reset();
        plugin->unload();
        OFX::Host::PluginCache::clearPluginCache();
    }
    check(!mapped("bridge.ofx"), "the plug-in is still in memory");
}

void story(const std::string &folder) {
    std::string token;
    std::getline(std::cin, token);
    with_effect(folder, [&](Effect &effect) {
        check(effect.render(folder + "/locked.ppm") > 1000, "no watermark while it is locked");
        check(effect.shown() == 0, "shown as licensed");
        effect.type("token", token);
        effect.click("activate");
        check(effect.said("license").find("terms") != std::string::npos,
              "nothing was said of the terms: " + effect.said("license"));
        effect.tick("agree");
        effect.tick("remember");
        effect.type("token", token.substr(0, token.size() - 1));
        effect.click("activate");
        check(effect.render() > 1000, "no watermark after a token that is incomplete");
        std::cout << effect.said("license") << '\n';
        effect.type("token", token);
        effect.click("activate");
        std::cout << effect.said("license") << '\n';
        check(effect.said("token").empty(), "the token is still in the parameter");
        check(effect.shown() == 1, "images that the host keeps would have the watermark");
        check(effect.render(folder + "/licensed.ppm") == 0, "a watermark though it is licensed");
    });
    with_effect(folder, [&](Effect &effect) {
        check(effect.render() == 0, "a watermark though the license was remembered");
        check(effect.shown() == 1, "shown as locked");
        effect.click("release");
        std::cout << effect.said("license") << '\n';
        check(effect.shown() == 0, "images that the host keeps would lack the watermark");
        check(effect.render() > 1000, "no watermark after the seat was released");
        effect.click("update");
    });
}

void hanging(const std::string &folder) {
    std::string token;
    std::getline(std::cin, token);
    with_effect(folder, [&](Effect &effect) {
        effect.tick("agree");
        effect.type("token", token);
        std::thread clicks([&] { effect.click("activate"); });
        const auto begin = clock_type::now();
        int images = 0;
        for (; clock_type::now() - begin < std::chrono::seconds(2); images++)
            check(effect.render() > 1000, "no watermark");
        clicks.join();
        std::cout << images << " images while a server hangs, the slowest in "
                  << effect.longest / std::chrono::milliseconds(1) << " ms\n"
                  << effect.said("license") << '\n';
        check(effect.longest < std::chrono::seconds(1), "a render has waited");
        check(effect.said("license").find("not answered") != std::string::npos, "nothing was said");
    });
}

} // namespace

int main(int count, char **words) {
    try {
        check(count == 3, "usage: openfx story|hanging FOLDER");
        if (std::string(words[1]) == "story")
            story(words[2]);
        else
            hanging(words[2]);
        return 0;
    } catch (const std::exception &error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
