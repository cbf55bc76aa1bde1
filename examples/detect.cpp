// Faces in photos from C++: what ssd.Detector(..., suppression="nms") finds, by LiteRT's C API.
//
//     ssd export face.keras boxes.tflite --precision float32 --boxes
//     LITERT=$(python -c "import ai_edge_litert as a; print(a.__path__[0])")
//     g++ -O2 -std=c++17 detect.cpp $LITERT/libLiteRt.so -Wl,-rpath,$LITERT -o detect
//     ./detect boxes.tflite photo.ppm
//
// One line a box: photo, class, score, and ymin xmin ymax xmax in pixels of the photo.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

// The wheel ai-edge-litert (2.3) brings the library and no headers: this is what is used of it.
extern "C" {
typedef struct LiteRtObject* Handle;
struct TensorType {
  int element;  // 1: float32, 3: uint8
  unsigned rank : 7, has_strides : 1;
  int32_t dimensions[8];
  uint32_t strides[8];
};
int LiteRtCreateEnvironment(int, const void*, Handle* environment);
int LiteRtCreateModelFromFile(Handle environment, const char* path, Handle* model);
int LiteRtGetModelSignature(Handle model, size_t, Handle* signature);
int LiteRtGetSignatureInputTensorByIndex(Handle signature, size_t, Handle* tensor);
int LiteRtGetSignatureOutputTensorByIndex(Handle signature, size_t, Handle* tensor);
int LiteRtGetRankedTensorType(Handle tensor, TensorType*);
int LiteRtCreateOptions(Handle* options);
int LiteRtSetOptionsHardwareAccelerators(Handle options, int);
int LiteRtCreateCompiledModel(Handle environment, Handle model, Handle options, Handle* compiled);
int LiteRtGetCompiledModelInputBufferRequirements(Handle compiled, size_t, size_t, Handle*);
int LiteRtGetCompiledModelOutputBufferRequirements(Handle compiled, size_t, size_t, Handle*);
int LiteRtCreateManagedTensorBufferFromRequirements(Handle, const TensorType*, Handle, Handle*);
int LiteRtLockTensorBuffer(Handle buffer, void** memory, int mode);
int LiteRtUnlockTensorBuffer(Handle buffer);
int LiteRtRunCompiledModel(Handle compiled, size_t, size_t, Handle* in, size_t, Handle* out);
}
enum { CPU = 1, READ = 0, WRITE = 1, FLOAT32 = 1 };
#define CHECK(call) \
  if (int status = call) throw std::runtime_error(#call ": status " + std::to_string(status))

struct Photo {
  int height, width;
  std::vector<float> values;  // red, green, blue, row by row
  float& at(int row, int column, int color) {  // what is beyond the edge is as the edge
    row = std::clamp(row, 0, height - 1), column = std::clamp(column, 0, width - 1);
    return values[(row * size_t(width) + column) * 3 + color];
  }
  float mean(int row, int column, int color, int unit) {  // of unit by unit pixels
    int top = std::clamp(row, 0, (height - 1) / unit) * unit;
    int left = std::clamp(column, 0, (width - 1) / unit) * unit;
    float sum = 0;
    for (int i = 0; i < unit * unit; i++) sum += at(top + i / unit, left + i % unit, color);
    return sum / (unit * unit);
  }
};

Photo read_ppm(const char* path) {
  std::ifstream file(path, std::ios::binary);
  std::string magic;
  int width = 0, height = 0, greatest = 0;
  file >> magic >> width >> height >> greatest;
  file.get();
  std::vector<unsigned char> bytes(size_t(3) * std::max(width, 0) * std::max(height, 0));
  file.read(reinterpret_cast<char*>(bytes.data()), bytes.size());
  if (magic != "P6" || greatest != 255 || bytes.empty() || !file)
    throw std::runtime_error(std::string(path) + ": wanted a PPM photo (P6, 255)");
  return {height, width, {bytes.begin(), bytes.end()}};
}

// The photo in the top left corner of an input, as docs/model-file.md says; the rest is 0.
Photo letterbox(Photo& photo, int height, int width, int* fit) {
  int64_t h = photo.height, w = photo.width, unit = 1;
  fit[0] = std::min<int64_t>(height, std::max<int64_t>(1, (2 * h * width + w) / (2 * w)));
  fit[1] = std::min<int64_t>(width, std::max<int64_t>(1, (2 * w * height + h) / (2 * h)));
  while (h >= 2 * unit * fit[0] && w >= 2 * unit * fit[1]) unit *= 2;
  Photo input{height, width, std::vector<float>(size_t(height) * width * 3)};
  for (int row = 0; row < fit[0]; row++)
    for (int column = 0; column < fit[1]; column++)
      for (int color = 0; color < 3; color++) {
        float y = (row + 0.5f) * h / unit / fit[0] - 0.5f, top = std::floor(y);
        float x = (column + 0.5f) * w / unit / fit[1] - 0.5f, left = std::floor(x);
        auto line = [&](int r) {
          float here = photo.mean(r, left, color, unit);
          return here + (photo.mean(r, left + 1, color, unit) - here) * (x - left);
        };
        float above = line(top), value = above + (line(top + 1) - above) * (y - top);
        input.at(row, column, color) = std::floor(value + 0.5f);
      }
  return input;
}

int main(int count, char** arguments) try {
  if (count < 3) throw std::runtime_error("usage: detect boxes.tflite photo.ppm...");
  Handle environment, model, signature, options, compiled;
  CHECK(LiteRtCreateEnvironment(0, nullptr, &environment));
  CHECK(LiteRtCreateModelFromFile(environment, arguments[1], &model));
  CHECK(LiteRtGetModelSignature(model, 0, &signature));
  CHECK(LiteRtCreateOptions(&options));
  CHECK(LiteRtSetOptionsHardwareAccelerators(options, CPU));
  CHECK(LiteRtCreateCompiledModel(environment, model, options, &compiled));
  TensorType input, output;
  auto create_buffer = [&](auto get_tensor, auto get_needs, size_t index, TensorType& type) {
    Handle tensor, needs, buffer;
    CHECK(get_tensor(signature, index, &tensor));
    CHECK(LiteRtGetRankedTensorType(tensor, &type));
    CHECK(get_needs(compiled, 0, index, &needs));
    CHECK(LiteRtCreateManagedTensorBufferFromRequirements(environment, &type, needs, &buffer));
    return buffer;
  };
  Handle in = create_buffer(LiteRtGetSignatureInputTensorByIndex,
                            LiteRtGetCompiledModelInputBufferRequirements, 0, input), out[4];
  for (int i = 0; i < 4; i++)
    out[i] = create_buffer(LiteRtGetSignatureOutputTensorByIndex,
                           LiteRtGetCompiledModelOutputBufferRequirements, i, output);
  int height = input.dimensions[1], width = input.dimensions[2], fit[2];
  for (int i = 2; i < count; i++) {
    Photo photo = read_ppm(arguments[i]), image = letterbox(photo, height, width, fit);
    void* memory;
    CHECK(LiteRtLockTensorBuffer(in, &memory, WRITE));
    auto first = image.values.begin(), last = image.values.end();
    if (input.element == FLOAT32) std::copy(first, last, static_cast<float*>(memory));
    else std::copy(first, last, static_cast<uint8_t*>(memory));
    CHECK(LiteRtUnlockTensorBuffer(in));
    CHECK(LiteRtRunCompiledModel(compiled, 0, 1, &in, 4, out));
    float *boxes, *classes, *scores, *found;
    float** outputs[] = {&boxes, &classes, &scores, &found};
    for (int j = 0; j < 4; j++) CHECK(LiteRtLockTensorBuffer(out[j], (void**)outputs[j], READ));
    for (int j = 0; j < int(*found); j++) {
      std::printf("%s %d %.4f", arguments[i], int(classes[j]) + 1, scores[j]);
      for (int side = 0; side < 4; side++) {
        float whole = side % 2 ? photo.width : photo.height;
        float scale = (side % 2 ? width : height) * whole / fit[side % 2];
        std::printf(" %.3f", std::clamp(boxes[4 * j + side] * scale, 0.0f, whole));
      }
      std::printf("\n");
    }
    for (Handle each : out) CHECK(LiteRtUnlockTensorBuffer(each));
  }
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
